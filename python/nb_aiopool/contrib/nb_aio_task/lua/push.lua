-- Queues a batch of tasks once, however often it is sent.
-- KEYS: list, producer, ids, delayed, parked
-- ARGV: prefix, number of the batch, life of the producer's mark (s), life of a unique id (ms),
--       'plain' and then a payload for each task, or
--       'full' and then for each task: payload, token, id or '', delay in ms or ''
-- Returns the tokens of the tasks that have the given ids, one for each task with an id, in order.
-- The producer's mark is the number of its last batch, and of that which owners it was told of other than its own tasks:
-- "7 1=token 3=token". They may have ended when the batch is sent again.
local list, mark, ids, delayed, parked = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local prefix, batch, mark_life, unique_life = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local last, others = (redis.call('GET', mark) or ''):match('^(%d+)(.*)$')
local repeated = last and tonumber(last) >= tonumber(batch)
if not repeated then
    redis.call('SET', mark, batch, 'EX', mark_life)
end

local now
local function clock()
    if not now then
        local time = redis.call('TIME')
        now = time[1] * 1000 + math.floor(time[2] / 1000)
    end
    return now
end

-- unpack has a limit of about 8,000.
local function queue(payloads, first)
    for i = first, #payloads, 1000 do
        redis.call('RPUSH', list, unpack(payloads, i, math.min(i + 999, #payloads)))
    end
end

local owners = {}
if ARGV[5] == 'plain' then
    if not repeated then
        queue(ARGV, 6)
    end
    return owners
end

local told = {}
if repeated and tonumber(last) == tonumber(batch) then
    for place, owner in others:gmatch('(%d+)=(%S+)') do
        told[tonumber(place)] = owner
    end
end

local payloads = {}
local had = {}
for i = 6, #ARGV, 4 do
    local payload, token, id, delay = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
    local queued = not repeated
    if id ~= '' then
        local unique = prefix .. 'unique:' .. id
        local place = #owners + 1
        local owner
        if repeated then
            owner = told[place]
        else
            owner = redis.call('GET', unique)
        end
        owners[place] = owner or token
        if owner then
            queued = false
            had[#had + 1] = place .. '=' .. owner
        elseif queued then
            redis.call('SET', unique, token, 'PX', tonumber(unique_life) + (tonumber(delay) or 0))
            redis.call('ZREMRANGEBYSCORE', ids, '-inf', clock())
            redis.call('ZADD', ids, clock() + unique_life + (tonumber(delay) or 0), id)
            redis.call('DEL', prefix .. 'result:' .. id)
        end
    end
    if queued then
        if delay ~= '' then
            redis.call('ZADD', delayed, clock() + delay, token)
            redis.call('HSET', parked, token, payload)
        else
            payloads[#payloads + 1] = payload
        end
    end
end
queue(payloads, 1)
if not repeated and #had > 0 then
    redis.call('SET', mark, batch .. ' ' .. table.concat(had, ' '), 'EX', mark_life)
end
return owners
