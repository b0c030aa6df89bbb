-- Drops what is in the list and what is delayed, and frees the ids of all that. In one step: an id that is taken after it
-- stays taken.
-- KEYS: list, delayed, parked, consumers, ids   ARGV: prefix
local list, delayed, parked, consumers, ids_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local prefix = ARGV[1]
redis.call('UNLINK', list, delayed, parked)

local ids = redis.call('ZRANGE', ids_key, 0, -1)
local uniques = {}
for i, id in ipairs(ids) do
    uniques[i] = prefix .. 'unique:' .. id
end
local owners = {}
for i = 1, #ids, 1000 do -- unpack has a limit of about 8,000
    for _, token in ipairs(redis.call('MGET', unpack(uniques, i, math.min(i + 999, #ids)))) do
        owners[#owners + 1] = token or ''
    end
end

local running = {}
look_among_held(set_of(owners, 1), consumers, prefix, function(token)
    running[token] = true
end)

local freed, freed_uniques = {}, {}
for i, id in ipairs(ids) do
    if not running[owners[i]] then
        freed[#freed + 1] = id
        freed_uniques[#freed_uniques + 1] = uniques[i]
    end
end
for i = 1, #freed, 1000 do
    local last = math.min(i + 999, #freed)
    redis.call('DEL', unpack(freed_uniques, i, last))
    redis.call('ZREM', ids_key, unpack(freed, i, last))
end
