-- One turn of a consumer: forget and settle what has ended, renew the lease, queue what is due, fetch the next.
-- KEYS: list, inflight, wait, state, consumers, delayed, parked, dead, ids
-- ARGV: prefix, consumer, lease (ms), register ('1' or ''), last number known, how many to fetch, solo number or '',
--       numbers to forget (in one string), how many delayed tasks to queue at once, life of a unique id (ms),
--       serial of an early start or '', whether that has ended ('1' or ''), whether to fetch what a wait has taken,
--       payload of the early start,
--       then for each settlement: kind, number, name, token, id or '', body, delay (ms), result or '', its life (ms)
-- Returns { status, ms until the next delayed task or -1, number of the early start or 0,
--           first number, lengths of the payloads, payloads in one string }; status is 'ok', 'lost' or 'stray'.
local list, inflight, wait, state, consumers = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local delayed, parked, dead, ids = KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local prefix, consumer, lease, register = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local known, want, solo, acks = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7], ARGV[8]
local due_at_once, unique_life = ARGV[9], tonumber(ARGV[10])
local early, early_ended, sweep, early_payload = ARGV[11], ARGV[12] ~= '', ARGV[13] ~= '', ARGV[14]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local registered = redis.call('ZSCORE', consumers, consumer)
if registered and tonumber(registered) < 0 or not registered and register == '' then
    if not registered then
        -- It has left, or Redis has forgotten it: what a blocking call still takes in its name is to be recovered.
        redis.call('ZADD', consumers, -now, consumer)
    end
    return { 'lost' }
end
redis.call('ZADD', consumers, now + lease, consumer)

local stored = redis.call('HMGET', state, 'last', 'solo', 'early', 'early_number')
local last = tonumber(stored[1] or 0)
local astray = last ~= known

-- What a wait has brought was started before it had a number. The serial tells whether this was done before: then the
-- answer was lost, and is given again. It need not be the first that is there: what an earlier wait has brought may not
-- have been fetched yet.
local early_number = 0
if early ~= '' and stored[3] == early then
    early_number = tonumber(stored[4])
elseif early ~= '' and tonumber(stored[3] or 0) < tonumber(early) then
    if redis.call('LREM', wait, 1, early_payload) == 1 and not early_ended then
        last = last + 1
        early_number = last
        redis.call('HSET', inflight, last, early_payload)
    end
    redis.call('HSET', state, 'last', last, 'early', early, 'early_number', early_number)
end

local numbers = {}
for number in acks:gmatch('%d+') do
    numbers[#numbers + 1] = number
end
for i = 1, #numbers, 1000 do
    redis.call('HDEL', inflight, unpack(numbers, i, math.min(i + 999, #numbers)))
end

local function free(id, token)
    local unique = prefix .. 'unique:' .. id
    if id ~= '' and redis.call('GET', unique) == token then
        redis.call('DEL', unique)
        redis.call('ZREM', ids, id)
    end
end

for i = 15, #ARGV, 9 do
    local kind, number, name, token, id = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
    local body, delay, result, life = ARGV[i + 5], ARGV[i + 6], ARGV[i + 7], ARGV[i + 8]
    if redis.call('HDEL', inflight, number) == 1 then
        if result ~= '' then
            redis.call('SET', prefix .. 'result:' .. name, result, 'PX', life)
        end
        if kind == 'again' then
            redis.call('LPUSH', list, body)
        elseif kind == 'retry' then
            redis.call('ZADD', delayed, now + delay, token)
            redis.call('HSET', parked, token, body)
            if id ~= '' and redis.call('GET', prefix .. 'unique:' .. id) == token then
                redis.call('PEXPIRE', prefix .. 'unique:' .. id, unique_life + delay)
                redis.call('ZADD', ids, now + unique_life + delay, id)
            end
        else
            if kind == 'dead' then
                redis.call('HSET', dead, name, body)
            end
            free(id, token)
        end
    end
end

local function next_delayed()
    local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
    return first[2] and math.max(0, first[2] - now) or -1
end

local next_due = next_delayed()
if next_due == 0 then
    local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, due_at_once)
    for i = 1, #due, 1000 do
        local some = { unpack(due, i, math.min(i + 999, #due)) }
        for _, payload in ipairs(redis.call('HMGET', parked, unpack(some))) do
            if payload then
                redis.call('RPUSH', list, payload)
            end
        end
        redis.call('ZREM', delayed, unpack(some))
        redis.call('HDEL', parked, unpack(some))
    end
    next_due = next_delayed()
end

if (stored[2] or '') ~= solo then
    if solo == '' then
        redis.call('HDEL', state, 'solo')
    else
        redis.call('HSET', state, 'solo', solo)
    end
end
if astray then
    return { 'stray', next_due, early_number }
end
if want <= 0 then
    return { 'ok', next_due, early_number, 0, '', '' }
end

local fetched = {}
while sweep and #fetched < want do
    local payload = redis.call('LPOP', wait)
    if not payload then
        break
    end
    fetched[#fetched + 1] = payload
end
if #fetched < want then
    for _, payload in ipairs(redis.call('LPOP', list, want - #fetched) or {}) do
        fetched[#fetched + 1] = payload
    end
end
if #fetched == 0 then
    return { 'ok', next_due, early_number, 0, '', '' }
end

local lengths = {}
local pairs_ = {}
for i, payload in ipairs(fetched) do
    lengths[i] = #payload
    pairs_[#pairs_ + 1] = last + i
    pairs_[#pairs_ + 1] = payload
    if #pairs_ == 2000 or i == #fetched then
        redis.call('HSET', inflight, unpack(pairs_))
        pairs_ = {}
    end
end
redis.call('HSET', state, 'last', last + #fetched)
return { 'ok', next_due, early_number, last + 1, table.concat(lengths, ' '), table.concat(fetched) }
