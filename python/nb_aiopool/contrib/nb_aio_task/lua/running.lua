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
look_among_held(set_of(ARGV, 2), KEYS[1], prefix, function(token)
    found(token, 'running')
end)
return places
