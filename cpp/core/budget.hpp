// How long the pool may keep the loop before other callbacks get their turn.
#pragma once

#include <chrono>
#include <cstdint>

namespace nbaio {

/// A share of time, spent by calls. The clock is read at every fourth call only: a reading costs about as much as a
/// twentieth of the cheapest job. The first three calls are free, so a burst of one or two never reads the clock.
///
/// Example:
///     budget.renew();
///     while (work() && !budget.spent()) step();
class Budget {
public:
    /// Half a millisecond: long enough that giving way costs nothing measurable (a loop turn takes microseconds), short
    /// enough that a timer is late by no more than a busy loop makes it anyway.
    static constexpr std::chrono::microseconds share{500};

    void renew() noexcept {
        calls_ = 0;
        spent_ = false;
    }

    /// Counts a call. Guarantees: once true, true until renewed.
    bool spent() noexcept {
        if ((++calls_ & 3U) == 0) {
            check();
        }
        return spent_;
    }

    /// Whether the last call was the one that started the clock.
    [[nodiscard]] bool begun() const noexcept { return calls_ == 4; }

private:
    using Clock = std::chrono::steady_clock;

    void check() noexcept {
        const Clock::time_point now = Clock::now();
        if (calls_ == 4) {
            start_ = now;
        } else if (now - start_ >= share) {
            spent_ = true;
        }
    }

    Clock::time_point start_;
    std::uint32_t calls_ = 0;
    bool spent_ = false;
};

}  // namespace nbaio
