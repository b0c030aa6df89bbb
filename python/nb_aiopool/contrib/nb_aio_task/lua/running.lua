-- Says which of the given tasks are delayed or with a consumer.
-- KEYS: consumers, delayed   ARGV: prefix, tokens...
-- Returns { token, 'delayed' or 'running', token, ... }.
local prefix = ARGV[1]
local places = {}
local function found(token, place)
    places[#places + 1] = token
    places[#places + 1] = place
end

for i = 2, #ARGV do
    if redis.call('ZSCORE', KEYS[2], ARGV[i]) then
        found(ARGV[i], 'delayed')
    end
end
local set = set_of(ARGV, 2)
local function running(token)
    found(token, 'running')
end
for _, consumer in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    for _, payload in ipairs(redis.call('HVALS', prefix .. 'inflight:' .. consumer)) do
        look_for(set, payload, running)
    end
    for _, payload in ipairs(redis.call('LRANGE', prefix .. 'wait:' .. consumer, 0, -1)) do
        look_for(set, payload, running)
    end
end
return places
