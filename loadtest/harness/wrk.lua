-- wrk: which requests, after how much thought, and the figures as one line of JSON. Arguments: the file of ids, the share
-- of pages (0 to 1), the think time in ms (0: none). A page is one of the first 9,950, as it may be with 10,000 users. A line
-- that begins with a slash is a target in place of an id.
local ids, pages, think_ms = {}, 0, 0

function init(arguments)
  for id in io.lines(arguments[1]) do ids[#ids + 1] = id end
  pages, think_ms = tonumber(arguments[2]), tonumber(arguments[3])
  math.randomseed(tonumber(arguments[4]))
  if think_ms > 0 then
    -- Evenly between half and one and a half times: users do not walk in step.
    function delay() return math.floor(think_ms * (0.5 + math.random())) end
  end
end

function request()
  if pages > 0 and math.random() < pages then
    return wrk.format("GET", "/users?limit=50&offset=" .. math.random(0, #ids - 50))
  end
  local id = ids[math.random(#ids)]
  return wrk.format("GET", id:byte() == 47 and id or "/users/" .. id)
end

function done(summary, latency, requests)
  local points = {}
  for tenth = 0, 990, 20 do points[#points + 1] = tenth / 10 end
  for _, percentile in ipairs({ 99, 99.25, 99.5, 99.75, 99.9, 99.95, 99.99 }) do points[#points + 1] = percentile end
  local distribution = {}
  for _, percentile in ipairs(points) do
    local us = percentile == 0 and latency.min or latency:percentile(percentile)
    distribution[#distribution + 1] = string.format("[%.2f,%.3f]", percentile, us / 1000)
  end
  local at = function(percentile) return latency:percentile(percentile) / 1000 end
  local errors = summary.errors
  io.write(string.format(
    '\nJSON {"requests":%d,"duration_s":%.6f,"p50":%.3f,"p90":%.3f,"p95":%.3f,"p99":%.3f,"p99.9":%.3f,"max":%.3f,' ..
    '"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d},"distribution":[%s]}\n',
    summary.requests, summary.duration / 1e6, at(50), at(90), at(95), at(99), at(99.9), latency.max / 1000,
    errors.connect, errors.read, errors.write, errors.status, errors.timeout, table.concat(distribution, ",")))
end
