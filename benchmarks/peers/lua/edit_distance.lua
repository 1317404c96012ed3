-- Edit distance of two pseudo-random sequences: a dynamic-programming table of nested tables.

local function sequence(n, seed)
  local out = {}
  local x = seed
  for i = 1, n do
    x = (x * 16807) % 2147483647
    out[i] = x % 4
  end
  return out
end

local function bench(n)
  local a, b = sequence(n, 1), sequence(n, 2)
  local distances = {}
  for i = 0, n do
    local row = {}
    for j = 0, n do
      row[j] = i + j
    end
    distances[i] = row
  end
  for i = 1, n do
    for j = 1, n do
      local best = distances[i - 1][j] + 1
      local left = distances[i][j - 1] + 1
      if left < best then
        best = left
      end
      local diagonal = distances[i - 1][j - 1]
      if a[i] ~= b[j] then
        diagonal = diagonal + 1
      end
      if diagonal < best then
        best = diagonal
      end
      distances[i][j] = best
    end
  end
  return distances[n][n]
end

return bench
