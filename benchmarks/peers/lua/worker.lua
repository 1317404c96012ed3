-- Worker: for each line "N REPETITIONS" of standard input run bench(N) so often and print "SECONDS RESULT".
-- Runs under Lua 5.3 or later and under LuaJIT; its first argument is the file that returns bench.
-- Seconds are those of the processor: plain Lua has no finer clock.

local bench = dofile(arg[1])

local function text(result)
  if type(result) == "number" then
    if result == math.floor(result) and math.abs(result) <= 2 ^ 53 then
      return string.format("%d", result)
    end
    return string.format("%.17g", result)
  end
  return (tostring(result):gsub("[UL]+$", "")) -- a LuaJIT 64-bit integer
end

for line in io.lines() do
  local n, repetitions = line:match("^(%d+) (%d+)$")
  n, repetitions = math.floor(tonumber(n)), tonumber(repetitions)
  local result
  local start = os.clock()
  for _ = 1, repetitions do
    result = bench(n)
  end
  io.write(string.format("%.9f %s\n", os.clock() - start, text(result)))
  io.flush()
end
