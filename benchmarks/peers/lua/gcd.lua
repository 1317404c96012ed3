-- Greatest common divisors by Euclid's algorithm in a function of its own.

local function gcd(a, b)
  while b > 0 do
    a, b = b, a % b
  end
  return a
end

local function bench(n)
  local total = 0
  for i = 1, n do
    total = total + gcd(i * 7919 % 1000003, i * 104729 % 999983)
  end
  return total
end

return bench
