// What a thread sleeps on until a job has ended.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <new>
#include <utility>

#include "binding/python.hpp"
#include "core/watch.hpp"

namespace nbaio {

/// One thread waits here, once, until another rings. It belongs to whoever holds a BellRef. Unlike a Parking, which knows
/// nothing of Python, it lets a signal wake who sleeps.
class Bell {
public:
    enum class Woken { rung, timed_out, interrupted };

    Bell(const Bell&) = delete;
    Bell& operator=(const Bell&) = delete;

    /// Waits, without the GIL: watches for a moment, perhaps, then sleeps. May be called once.
    Woken wait(double seconds) noexcept {
        Woken woken = Woken::rung;
        Py_BEGIN_ALLOW_THREADS;
        woken = wait_detached(seconds);
        Py_END_ALLOW_THREADS;
        return woken;
    }

    /// Ends the wait, or the next one before it begins. Guarantees: whether the thread is awake, and goes on at once. Needs no
    /// GIL. May be called once.
    bool ring() noexcept {
        const Stage before = stage_.exchange(Stage::rung, std::memory_order_acq_rel);
        if (before == Stage::asleep) PyThread_release_lock(lock_);
        return before == Stage::watching;
    }

    /// How many waits have begun, and let go of the GIL, in this process. Whoever rang for a thread that was awake may watch
    /// for it to wait again, for its next job.
    static unsigned waits_begun() noexcept { return begun_.load(std::memory_order_acquire); }

    Bell* next = nullptr;  // in the list that it is in

private:
    friend class BellRef;
    enum class Stage { fresh, watching, asleep, rung };
    // A signal that comes while the thread watches does not interrupt the sleep that follows.
    static constexpr double sleep_after_watch = 0.05;

    Bell() noexcept : lock_(PyThread_allocate_lock()) {
        if (lock_ != nullptr) PyThread_acquire_lock(lock_, NOWAIT_LOCK);
    }
    ~Bell() {
        if (lock_ != nullptr) PyThread_free_lock(lock_);
    }

    /// Guarantees: false if it was rung before.
    bool enter(Stage from, Stage to) noexcept {
        return stage_.compare_exchange_strong(from, to, std::memory_order_acq_rel);
    }

    Woken wait_detached(double seconds) noexcept {
        begun_.fetch_add(1, std::memory_order_release);
        if (!enter(Stage::fresh, Stage::watching)) return Woken::rung;
        const auto is_rung = [this] { return stage_.load(std::memory_order_acquire) == Stage::rung; };
        const Watch::Seen seen = watch_.look_for(is_rung);
        if (seen == Watch::Seen::yes) return Woken::rung;
        if (!enter(Stage::watching, Stage::asleep)) return Woken::rung;
        const double time = seen == Watch::Seen::no ? std::min(seconds, sleep_after_watch) : seconds;
        const auto most = static_cast<PY_TIMEOUT_T>(time * 1e6);
        const PyLockStatus status = PyThread_acquire_lock_timed(lock_, most, 1);
        if (status == PY_LOCK_INTR) return Woken::interrupted;
        return status == PY_LOCK_ACQUIRED ? Woken::rung : Woken::timed_out;
    }

    inline static std::atomic<unsigned> begun_{0};
    inline static Watch watch_{std::chrono::microseconds(50)};

    std::atomic<Stage> stage_{Stage::fresh};
    PyThread_type_lock lock_;
    std::atomic<int> holders_{1};
};

/// Holds a Bell, or nothing. One assignment serves for copies and moves: it takes its argument by value.
// NOLINTNEXTLINE(cppcoreguidelines-special-member-functions)
class BellRef {
public:
    BellRef() noexcept = default;
    BellRef(BellRef&& other) noexcept : bell_(other.release()) {}
    BellRef(const BellRef& other) noexcept : bell_(other.bell_) {
        if (bell_ != nullptr) bell_->holders_.fetch_add(1, std::memory_order_relaxed);
    }
    BellRef& operator=(BellRef other) noexcept {
        std::swap(bell_, other.bell_);
        return *this;
    }
    ~BellRef() {
        if (bell_ != nullptr && bell_->holders_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete bell_;
    }

    /// A new one. Guarantees: nothing if there is no memory.
    static BellRef make() noexcept {
        BellRef made = own(new (std::nothrow) Bell());
        return made && made->lock_ != nullptr ? std::move(made) : BellRef();
    }
    /// Takes over what release() gave away.
    static BellRef own(Bell* bell) noexcept {
        BellRef owner;
        owner.bell_ = bell;
        return owner;
    }
    [[nodiscard]] Bell* release() noexcept { return std::exchange(bell_, nullptr); }

    [[nodiscard]] Bell* get() const noexcept { return bell_; }
    Bell* operator->() const noexcept { return bell_; }
    explicit operator bool() const noexcept { return bell_ != nullptr; }

private:
    Bell* bell_ = nullptr;
};

/// Bells that are to ring together. It holds them.
class Bells {
public:
    Bells() noexcept = default;
    Bells(const Bells&) = delete;
    Bells& operator=(const Bells&) = delete;
    ~Bells() { ring(); }

    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }

    void add(BellRef bell) noexcept {
        bell->next = first_;
        first_ = bell.release();
    }

    /// Takes out a bell, whether or not it is in.
    void remove(const Bell* bell) noexcept {
        for (Bell** at = &first_; *at != nullptr; at = &(*at)->next) {
            if (*at != bell) continue;
            const BellRef out = BellRef::own(*at);
            *at = out->next;
            return;
        }
    }

    /// Takes over all that another list has.
    void take(Bells& other) noexcept {
        while (other.first_ != nullptr) {
            BellRef bell = BellRef::own(other.first_);
            other.first_ = bell->next;
            add(std::move(bell));
        }
    }

    /// Rings all, and forgets them. Guarantees: whether a thread is awake, and goes on at once. Needs no GIL.
    bool ring() noexcept {
        bool is_awake = false;
        while (first_ != nullptr) {
            const BellRef bell = BellRef::own(first_);
            first_ = bell->next;
            is_awake = bell->ring() || is_awake;
        }
        return is_awake;
    }

private:
    Bell* first_ = nullptr;
};

}  // namespace nbaio
