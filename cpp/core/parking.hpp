// Where a thread sleeps that waits for room.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace nbaio {

/// One thread sleeps here until any other wakes it, once. In which order threads are woken is the business of the line
/// that they stand in.
///
///     Parking parking;                       // shared by both
///     parking.wake();                        // the one: at any time, also before anybody sleeps
///     while (!parking.sleep_for(50ms)) {}    // the other
class Parking {
public:
    Parking() = default;
    Parking(const Parking&) = delete;
    Parking& operator=(const Parking&) = delete;
    ~Parking() = default;

    /// Guarantees: whoever sleeps here, now or later, wakes. It may destroy the parking as soon as it does.
    void wake() noexcept {
        const std::scoped_lock lock(mutex_);
        woken_ = true;
        condition_.notify_one();  // under the lock: the sleeper cannot go before this is over
    }

    /// Guarantees: true if it was woken; false if the time is over.
    [[nodiscard]] bool sleep_for(std::chrono::milliseconds time) noexcept {
        std::unique_lock<std::mutex> lock(mutex_);
        return condition_.wait_for(lock, time, [this] { return woken_; });
    }

private:
    std::mutex mutex_;
    std::condition_variable condition_;
    bool woken_ = false;
};

}  // namespace nbaio
