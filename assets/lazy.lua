-- Pictures below a page's first section load when the reader comes near. In the preview lighten.py does the same.
local below = false

return {
  {
    traverse = "topdown",
    Header = function(heading)
      below = below or heading.level == 2
    end,
    Image = function(picture)
      if below then
        picture.attributes.loading = "lazy"
        picture.attributes.decoding = "async"
        return picture
      end
    end,
  },
}
