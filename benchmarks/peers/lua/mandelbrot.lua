-- Mandelbrot escape counts on a square grid, pure float arithmetic.

local function bench(size)
  local total = 0
  for y = 0, size - 1 do
    local ci = 2.4 * y / size - 1.2
    for x = 0, size - 1 do
      local cr = 3.0 * x / size - 2.1
      local zr, zi = 0.0, 0.0
      local n = 0
      while n < 60 do
        local r2, i2 = zr * zr, zi * zi
        if r2 + i2 > 4.0 then
          break
        end
        zi = 2.0 * zr * zi + ci
        zr = r2 - i2 + cr
        n = n + 1
      end
      total = total + n
    end
  end
  return total
end

return bench
