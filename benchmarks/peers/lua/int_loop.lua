-- Integer loop with arithmetic and branches.

local function bench(n)
  local acc = 1
  for i = 0, n - 1 do
    acc = (acc * 31 + i) % 1000003
    if acc % 7 == 3 then
      acc = acc + 5
    end
  end
  return acc
end

return bench
