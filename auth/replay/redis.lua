-- One operation of the store, whole: a script runs alone, and writes all or, when Redis refuses its first write
-- (out of memory, read-only replica, failing disk), nothing. Nothing here expires by Redis' clock.
--
-- KEYS  state (hash); of the domain: uses (ID by step), revocations (address by last step), released (spans)
-- ARGV  operation; the marker that the caller has seen last, or ''; one for a new store; then in steps: first and
--       current of the window, its reach above current; then what the operation takes, see below.
-- The answer is a verdict, the marker, the last step refused because of a loss, and the last one of the period refused
-- if the verdict is of one.
local state, uses, revocations, released = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local operation, seen, fresh = ARGV[1], ARGV[2], ARGV[3]
local first, current, reach = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

local stepsPerDay = 2880
local revocationReach = 2 * stepsPerDay
local maxSpans = 16

local function text(number) return string.format('%.0f', number) end

-- All eviction policies but this one may forget what was used.
local policy = string.match(redis.call('INFO', 'memory'), 'maxmemory_policy:([^\r\n]+)')
if policy ~= 'noeviction' then return {'policy', tostring(policy), 0, 0} end

local kept = redis.call('HMGET', state, 'marker', 'process', 'lost', 'reach', 'uses', 'revocations')
local marker, process = kept[1], kept[2]
local lost, farthest = tonumber(kept[3] or nil), tonumber(kept[4] or 0)
local usesHeld, revocationsHeld = tonumber(kept[5] or 0), tonumber(kept[6] or 0)

-- Earlier uses may be unknown if there is no marker; if the process that answers is another than the one that did last,
-- as after a restart or a failover, or has evicted keys since, under another policy; or if the caller has seen another
-- marker. Clocks of nodes may differ by a step.
local now = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') ..
  string.match(redis.call('INFO', 'stats'), 'evicted_keys:(%d+)')
local replaced = not marker or process ~= now
if replaced or (seen ~= '' and seen ~= marker) then
  lost = math.max(lost or current + 1, current + 1)
  if replaced then marker = fresh end
  redis.call('HSET', state, 'marker', marker, 'process', now, 'lost', text(lost))
end

local function answer(verdict, last) return {verdict, marker, lost + farthest, last or 0} end

if operation == 'mark' then return answer('ok') end

local spans = {}
for from, to in string.gmatch(redis.call('GET', released) or '', '(%-?%d+) (%-?%d+)') do
  spans[#spans + 1] = {tonumber(from), tonumber(to)}
end

-- add takes in the steps from a to b, all between them and the spans within a day of them, and makes the two nearest
-- spans one if there are too many.
local function add(a, b)
  local before, after = {}, {}
  for _, span in ipairs(spans) do
    if span[2] < a - stepsPerDay then
      before[#before + 1] = span
    elseif span[1] <= b + stepsPerDay then
      a, b = math.min(a, span[1]), math.max(b, span[2])
    else
      after[#after + 1] = span
    end
  end
  before[#before + 1] = {a, b}
  for _, span in ipairs(after) do before[#before + 1] = span end
  spans = before
  if #spans <= maxSpans then return end
  local nearest = 1
  for i = 2, #spans - 1 do
    if spans[i + 1][1] - spans[i][2] < spans[nearest + 1][1] - spans[nearest][2] then nearest = i end
  end
  spans[nearest][2] = spans[nearest + 1][2]
  table.remove(spans, nearest + 1)
end

local function find(a, b)
  for _, span in ipairs(spans) do
    if span[1] <= a and b <= span[2] then return span end
  end
end

-- release lets go of all records of a key that are below the window. It returns how many there are no more.
local function release(key, backwards)
  local count = 0
  while true do
    local lowest = redis.call('ZRANGEBYSCORE', key, '-inf', '(' .. text(first), 'WITHSCORES', 'LIMIT', 0, 1)[2]
    if not lowest then return count end
    count = count + redis.call('ZREMRANGEBYSCORE', key, lowest, lowest)
    add(tonumber(lowest) - backwards, tonumber(lowest))
  end
end

local usesGone, revocationsGone = release(uses, 0), release(revocations, revocationReach)
if usesGone + revocationsGone > 0 then
  -- Below zero only if somebody has deleted the counts alone.
  usesHeld, revocationsHeld = math.max(0, usesHeld - usesGone), math.max(0, revocationsHeld - revocationsGone)
  local list = {}
  for i, span in ipairs(spans) do list[i] = text(span[1]) .. ' ' .. text(span[2]) end
  redis.call('SET', released, table.concat(list, ' '))
  redis.call('HSET', state, 'uses', usesHeld, 'revocations', revocationsHeld)
end
if reach > farthest then
  farthest = reach
  redis.call('HSET', state, 'reach', text(reach))
end

-- ARGV  the bound on uses or revocations of all domains together; address; then the ID and the step of the use, or the
--       last step of the revocation, and the channel and the message that tell others of it.
local max, address = tonumber(ARGV[7]), ARGV[8]

if operation == 'use' then
  local id, step = ARGV[9], tonumber(ARGV[10])
  if step <= lost + farthest then return answer('lost', lost + farthest) end
  local through = redis.call('ZSCORE', revocations, address)
  if through and step <= tonumber(through) then return answer('revoked') end
  local span = find(step, step)
  if span then return answer('released', span[2]) end
  if redis.call('ZSCORE', uses, id) then return answer('replayed') end
  if usesHeld >= max then return answer('full') end
  redis.call('ZADD', uses, text(step), id)
  redis.call('HINCRBY', state, 'uses', 1)
  return answer('ok')
end

local through = tonumber(ARGV[9])
if not find(through - revocationReach, through) then
  local held = redis.call('ZSCORE', revocations, address)
  if not held and revocationsHeld >= max then return answer('full') end
  redis.call('ZADD', revocations, text(math.max(through, tonumber(held or through))), address)
  if not held then redis.call('HINCRBY', state, 'revocations', 1) end
end
redis.call('PUBLISH', ARGV[10], ARGV[11])
return answer('ok')
