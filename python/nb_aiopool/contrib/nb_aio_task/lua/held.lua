-- Put in front of the scripts that need it. What a consumer holds.

-- The numbers of a consumer's deliveries, the lowest first.
local function numbers_in(inflight)
    local numbers = redis.call('HKEYS', inflight)
    table.sort(numbers, function(a, b) return tonumber(a) < tonumber(b) end)
    return numbers
end

-- What a blocking call has taken is younger than all that the consumer was given: it goes back first, to end up behind.
local function give_back_waited(wait, list)
    while redis.call('LMOVE', wait, list, 'RIGHT', 'LEFT') do end
end

-- The consumer's deadline, or nil if it is not registered or was condemned.
local function deadline_of(consumers, consumer)
    local deadline = tonumber(redis.call('ZSCORE', consumers, consumer) or -1)
    return deadline >= 0 and deadline or nil
end
