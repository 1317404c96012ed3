-- Building strings piece by piece and taking them apart again.

local function bench(n)
  local check = 0
  local line = ""
  for i = 0, n - 1 do
    line = line .. i % 97 .. ","
    if #line > 400 then
      local commas = 0
      for position = 1, #line do
        if line:sub(position, position) == "," then
          commas = commas + 1
        end
      end
      check = check * 7 % 1000003 + commas + #line
      line = line:sub(391)
    end
  end
  return check * 1000 + #line
end

return bench
