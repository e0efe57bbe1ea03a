-- wrk's requests: chat completions whose prompt is always the same, or new words every time.
-- Arguments: a file of words, the number of words, the seed, the model. Seed 0: always the same
-- prompt, the words in their order, over and over; `guardproxy.bench.client` makes the same.
-- Says at the end, in one line of JSON, what `guardproxy.bench.wrk` reads.

local words, count, body_head, body_tail

local function whole(next_word)
  local chosen = {}
  for place = 1, count do
    chosen[place] = words[next_word(place)]
  end
  return wrk.format("POST", nil, nil, body_head .. table.concat(chosen, " ") .. body_tail)
end

local function by_chance()
  return math.random(#words)
end

local function in_order(place)
  return (place - 1) % #words + 1
end

function init(args)
  words = {}
  for word in io.lines(args[1]) do
    words[#words + 1] = word
  end
  count = tonumber(args[2])
  local seed = tonumber(args[3])
  math.randomseed(seed)
  wrk.headers["content-type"] = "application/json"
  body_head = '{"model":"' .. args[4] .. '","messages":[{"role":"user","content":"'
  body_tail = '"}]}'
  if seed == 0 then
    local always = whole(in_order)
    request = function() return always end
  else
    request = function() return whole(by_chance) end
  end
end

function done(summary, latency, requests)
  io.write(string.format(
    'guardproxy-bench {"requests":%d,"microseconds":%d,"connect":%d,"read":%d,"write":%d,'
      .. '"status":%d,"timeout":%d,"p50":%d,"p90":%d,"p99":%d,"longest":%d}\n',
    summary.requests, summary.duration, summary.errors.connect, summary.errors.read,
    summary.errors.write, summary.errors.status, summary.errors.timeout,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.max))
end
