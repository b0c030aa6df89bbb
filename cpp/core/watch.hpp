// Watching for something that is about to happen in another thread, instead of going to sleep.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
#include <intrin.h>
#endif

namespace nbaio {

/// Tells the processor that this is a loop that waits.
inline void relax() noexcept {
#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
    _mm_pause();
#elif defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

/// To put a thread to sleep and to wake it costs ten to fifty microseconds, more than most of what it waits for. So it
/// watches first, for a moment: if there is a processor to spare, and for as long as that pays. After a few times in vain
/// only every 64th wait tries.
///
///     static Watch watch(50us);
///     if (watch.look_for([] { return flag.load(); }) != Watch::Seen::yes) sleep();
class Watch {
public:
    /// What has become of it: it has happened; it has not, in the time there was; or nobody has looked.
    enum class Seen { yes, no, not_looked };

    using Clock = std::chrono::steady_clock;

    /// `most` may watch at once; by default one processor is left for whom they watch.
    explicit Watch(std::chrono::microseconds time, unsigned most = spare_processors()) noexcept
        : time_(time), most_(most) {}

    template <class Happened>
    Seen look_for(Happened happened) noexcept {
        if (!may_begin()) return Seen::not_looked;
        const bool seen = look(happened);
        watching_.fetch_sub(1, std::memory_order_relaxed);
        learn(seen);
        return seen ? Seen::yes : Seen::no;
    }

    static unsigned spare_processors() noexcept { return std::max(std::thread::hardware_concurrency(), 1U) - 1; }

private:
    static constexpr int best = 16;            // so many times in vain are forgiven
    static constexpr std::uint32_t rare = 64;  // when it does not pay, one wait of so many tries

    bool may_begin() noexcept {
        if (credit_.load(std::memory_order_relaxed) <= 0 &&
            waits_.fetch_add(1, std::memory_order_relaxed) % rare != rare - 1) {
            return false;
        }
        if (watching_.fetch_add(1, std::memory_order_relaxed) < most_) return true;
        watching_.fetch_sub(1, std::memory_order_relaxed);
        return false;
    }

    template <class Happened>
    [[nodiscard]] bool look(Happened happened) const noexcept {
        const Clock::time_point end = Clock::now() + time_;
        do {
            for (int i = 0; i < 16; ++i) {
                if (happened()) return true;
                relax();
            }
        } while (Clock::now() < end);
        return happened();
    }

    /// It need not be exact when several threads learn at once.
    void learn(bool paid) noexcept {
        const int credit = credit_.load(std::memory_order_relaxed);
        credit_.store(std::clamp(paid ? credit + 2 : credit - 1, 0, best), std::memory_order_relaxed);
    }

    std::chrono::microseconds time_;
    unsigned most_;
    std::atomic<unsigned> watching_{0};
    std::atomic<int> credit_{best};
    std::atomic<std::uint32_t> waits_{0};
};

}  // namespace nbaio
