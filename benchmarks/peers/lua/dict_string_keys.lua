-- A table used as a dictionary with computed string keys.

local function bench(n)
  local counts = {}
  local hits = 0
  local x = 1
  for _ = 1, n do
    x = (x * 16807) % 2147483647
    local key = "k" .. x % 5000
    local count = counts[key]
    if count then
      counts[key] = count + 1
      hits = hits + 1
    else
      counts[key] = 1
    end
  end
  return hits * 100 + counts["k" .. x % 5000]
end

return bench
