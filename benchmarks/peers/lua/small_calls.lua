-- Many calls of tiny functions with several arguments.

local function add3(a, b, c)
  return a + b + c
end

local function wrap(x, m)
  if x >= m then
    return x - m
  end
  return x
end

local function pick(flag, a, b)
  if flag then
    return a
  end
  return b
end

local function bench(n)
  local acc = 0
  for i = 0, n - 1 do
    acc = wrap(add3(acc, i, 7) % 2000003, 1000003)
    acc = pick(acc % 2 == 0, acc + 1, acc)
  end
  return acc
end

return bench
