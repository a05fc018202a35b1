-- Quarto calls this when it has rendered: let course_build/site/after_quarto.py make the site as light as `make site` would.
-- Where no Python has what that takes, the site stays as Quarto made it, heavier and otherwise the same. A copy of the
-- site's sources without course_build is left alone, and so is what `quarto preview` renders, a page at a time.
local function exists(path)
  local file = io.open(path)
  return file and file:close()
end

if os.getenv("QUARTO_PROJECT_RENDER_ALL") and exists("course_build/site/after_quarto.py") then
  local site = os.getenv("QUARTO_PROJECT_OUTPUT_DIR")
  local own = pandoc.system.os == "mingw32" and ".venv/Scripts/python.exe" or ".venv/bin/python"
  for _, python in ipairs({ own, os.getenv("QUARTO_PYTHON") or "python3", "python" }) do
    local ran, said = pcall(pandoc.pipe, python, { "-m", "course_build.site.after_quarto", site }, "")
    if ran then
      io.write(said)
      return
    end
  end
  print("The pages stay as Quarto made them. `make site` gets what makes them lighter.")
end
