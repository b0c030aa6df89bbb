// How long the pool may keep the loop before other callbacks get their turn.
#pragma once

#include <chrono>
#include <cstdint>

namespace nbaio {

/// A share of time, spent by calls. The first call is free, so that a burst of one never reads the clock; the second
/// starts the clock; the third looks at it, then the fourth, and then every eighth: a reading costs a twentieth of the
/// cheapest job. Where `most` is given, so many calls spend the share as well.
///
/// Example:
///     budget.renew();
///     while (work() && !budget.spent()) step();
class Budget {
public:
    /// Half a millisecond: long enough that giving way costs nothing measurable (a loop turn takes microseconds), short
    /// enough that a timer is late by no more than a busy loop makes it anyway.
    static constexpr std::chrono::microseconds share{500};
    static constexpr std::uint32_t any_number = UINT32_MAX;

    /// Requires: most is a multiple of eight, or any_number.
    explicit Budget(std::uint32_t most = any_number) noexcept : most_(most) {}

    void renew() noexcept {
        calls_ = 0;
        spent_ = false;
    }

    /// Counts a call. Guarantees: once true, true until renewed.
    bool spent() noexcept {
        ++calls_;
        if (calls_ == 2) {
            start_ = Clock::now();
        } else if (calls_ == 3 || calls_ == 4 || (calls_ & 7U) == 0) {
            spent_ = spent_ || calls_ >= most_ || Clock::now() - start_ >= share;
        }
        return spent_;
    }

    /// Starts the clock if it does not run yet: before something that may take long.
    void start() noexcept {
        if (calls_ >= 2) return;
        calls_ = 2;
        start_ = Clock::now();
    }

    /// Looks at the clock: after something that may have taken long. Requires: start() was called.
    void look() noexcept { spent_ = spent_ || Clock::now() - start_ >= share; }

    /// Whether the last call was the one that started the clock.
    [[nodiscard]] bool begun() const noexcept { return calls_ == 2; }

private:
    using Clock = std::chrono::steady_clock;

    Clock::time_point start_;
    std::uint32_t most_;
    std::uint32_t calls_ = 0;
    bool spent_ = false;
};

}  // namespace nbaio
