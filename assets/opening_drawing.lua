-- A lesson's page opens with the drawing of its card, which its front matter names. The preview does the same in
-- `mend_drawing` (course_build/preview/quarto_differences.py).
function Pandoc(doc)
  local meta = doc.meta
  if meta.image and meta["image-alt"] then
    local drawing = pandoc.Image(meta["image-alt"], pandoc.utils.stringify(meta.image))
    doc.blocks:insert(1, pandoc.Div(pandoc.Plain(drawing), pandoc.Attr("", { "opening-drawing" })))
  end
  return doc
end
