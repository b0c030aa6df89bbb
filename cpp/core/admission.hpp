// The admission state machine: who may come in, who waits, who starts next.
//
// It decides and counts; it calls nobody. Each call is one whole transition, so whatever the caller does afterwards
// (and any code that runs then) finds the state consistent.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "core/entry.hpp"
#include "core/list.hpp"

namespace nbaio {

/// Slots, a bounded queue in front of them, and a line of producers in front of the queue.
///
/// A slot is given when an entry is accepted, not when it begins: so `running() <= max_running()` and
/// `queued() <= max_queued()` hold at every moment, until a limit is lowered. Guarantees, for all time, guests excepted
/// (begin_as_guest):
///  - a free slot means an empty queue;
///  - entries start in the order in which they were accepted;
///  - nobody is accepted while somebody who came earlier stands in line or has a place kept (those with a kept place
///    come in as they come back for it: the caller wakes them in order);
///  - `submitted() == succeeded() + failed() + cancelled() + queued() + running()`.
class Admission {
public:
    static constexpr std::size_t unbounded = 0;

    /// Requires: max_running > 0, and the limits can be added without overflow.
    Admission(std::size_t max_running, std::size_t max_queued) noexcept
        : max_running_(max_running), max_queued_(max_queued) {
        assert(max_running > 0);
    }

    // -- What a newcomer may do ------------------------------------------------------------------------------------

    /// How many more entries could be accepted now, if nobody stood in line.
    [[nodiscard]] std::size_t room() const noexcept {
        if (max_queued_ == unbounded) {
            return std::numeric_limits<std::size_t>::max();
        }
        const std::size_t capacity = max_queued_ + free_slots();
        const std::size_t taken = at(Place::queued).size() + at(Place::granted).size();
        return taken < capacity ? capacity - taken : 0;
    }

    /// Whether a newcomer may be accepted: there is room, and nobody who came earlier is still outside.
    [[nodiscard]] bool welcomes() const noexcept {
        return at(Place::line).empty() && at(Place::granted).empty() && room() > 0;
    }

    /// Whether a newcomer may begin at once: it is welcome, and no accepted entry has yet to begin.
    [[nodiscard]] bool can_begin() const noexcept {
        return free_slots() > 0 && at(Place::starting).empty() && welcomes();
    }

    // -- Coming in -------------------------------------------------------------------------------------------------

    /// Accepts an entry: it has a slot, or is queued. Requires: it is outside; the caller has checked for room.
    void accept(Entry& entry) noexcept {
        assert(entry.place == Place::outside);
        ++submitted_;
        if (free_slots() > 0) {
            take_slot(entry);
            put(entry, Place::starting);
        } else {
            put(entry, Place::queued);
        }
    }

    /// Lets an entry run at once. Requires: it is outside, and can_begin().
    void begin(Entry& entry) noexcept {
        assert(entry.place == Place::outside && can_begin());
        ++submitted_;
        take_slot(entry);
        put(entry, Place::running);
    }

    /// Lets an entry run at once in the slot of somebody who waits for it: it counts as running, but takes neither a slot
    /// nor anybody's turn. Requires: it is outside.
    void begin_as_guest(Entry& entry) noexcept {
        assert(entry.place == Place::outside);
        ++submitted_;
        put(entry, Place::running);
    }

    /// Requires: the entry is outside.
    void stand_in_line(Entry& entry, bool keeps_place) noexcept {
        assert(entry.place == Place::outside);
        entry.keeps_place = keeps_place;
        put(entry, Place::line);
    }

    /// Whether admit_next() would find somebody.
    [[nodiscard]] bool can_admit() const noexcept {
        const Entry* first = at(Place::line).front();
        // One that is accepted where it stands must not pass a producer whose place is kept but not taken yet.
        return first != nullptr && room() > 0 && (first->keeps_place || at(Place::granted).empty());
    }

    /// Admits the first in line if there is room: accepts it, or keeps a place for it (see Entry::keeps_place).
    /// Guarantees: null if nobody can be admitted; else the entry, now granted, starting or queued.
    Entry* admit_next() noexcept {
        if (!can_admit()) {
            return nullptr;
        }
        Entry& entry = *at(Place::line).front();
        take_out(entry);
        if (entry.keeps_place) {
            put(entry, Place::granted);
        } else {
            accept(entry);
        }
        return &entry;
    }

    /// Accepts a producer's entry into the place kept for it. Requires: the entry is granted.
    void confirm(Entry& entry) noexcept {
        assert(entry.place == Place::granted);
        take_out(entry);
        accept(entry);
    }

    /// Takes an entry out of the line, or gives back the place kept for it. Requires: it is in line or granted.
    void withdraw(Entry& entry) noexcept {
        assert(entry.place == Place::line || entry.place == Place::granted);
        take_out(entry);
    }

    // -- Running ---------------------------------------------------------------------------------------------------

    /// The next entry to begin, now running; null if there is none.
    Entry* start_next() noexcept { return move_front(Place::starting); }

    /// The next entry that gave way, now running; null if there is none.
    Entry* resume_next() noexcept { return move_front(Place::ready); }

    /// Requires: the entry is running.
    void give_way(Entry& entry) noexcept {
        assert(entry.place == Place::running);
        take_out(entry);
        put(entry, Place::ready);
    }

    /// Counts an accepted entry as ended, wherever it stands, and gives its slot to the next in the queue.
    void finish(Entry& entry, Outcome outcome) noexcept {
        assert(entry.place >= Place::queued);
        take_out(entry);
        ++ended_[static_cast<std::size_t>(outcome)];
        if (entry.has_slot) {
            entry.has_slot = false;
            --slots_used_;
            fill_slots();
        }
    }

    // -- Limits ----------------------------------------------------------------------------------------------------

    [[nodiscard]] std::size_t max_running() const noexcept { return max_running_; }
    [[nodiscard]] std::size_t max_queued() const noexcept { return max_queued_; }

    /// Raised: queued entries get the new slots. Lowered: entries that have not begun go back to the front of the
    /// queue, in order; what runs is left alone. Requires: limit > 0.
    void set_max_running(std::size_t limit) noexcept {
        assert(limit > 0);
        max_running_ = limit;
        while (slots_used_ > max_running_ && !at(Place::starting).empty()) {
            Entry& last = *at(Place::starting).back();
            take_out(last);
            last.has_slot = false;
            --slots_used_;
            last.place = Place::queued;
            list(Place::queued).push_front(last);
        }
        fill_slots();
    }

    void set_max_queued(std::size_t limit) noexcept { max_queued_ = limit; }

    // -- What there is ---------------------------------------------------------------------------------------------

    [[nodiscard]] const List& at(Place place) const noexcept { return lists_[static_cast<std::size_t>(place)]; }

    [[nodiscard]] std::size_t free_slots() const noexcept {
        return slots_used_ < max_running_ ? max_running_ - slots_used_ : 0;
    }
    [[nodiscard]] std::size_t queued() const noexcept { return at(Place::queued).size(); }
    [[nodiscard]] std::size_t running() const noexcept {
        return at(Place::starting).size() + at(Place::ready).size() + at(Place::running).size();
    }
    /// Producers outside: those in line, and those admitted who have not come back yet.
    [[nodiscard]] std::size_t waiting() const noexcept { return at(Place::line).size() + at(Place::granted).size(); }

    [[nodiscard]] std::uint64_t submitted() const noexcept { return submitted_; }
    [[nodiscard]] std::uint64_t ended(Outcome outcome) const noexcept {
        return ended_[static_cast<std::size_t>(outcome)];
    }

    /// Nothing is queued, runs, or waits to come in.
    [[nodiscard]] bool idle() const noexcept { return queued() == 0 && running() == 0 && waiting() == 0; }

    /// Something can be started, resumed or admitted without anything else happening first.
    [[nodiscard]] bool has_work() const noexcept {
        return !at(Place::starting).empty() || !at(Place::ready).empty() || can_admit();
    }

private:
    List& list(Place place) noexcept { return lists_[static_cast<std::size_t>(place)]; }

    void put(Entry& entry, Place place) noexcept {
        entry.place = place;
        list(place).push_back(entry);
    }

    void take_out(Entry& entry) noexcept {
        list(entry.place).remove(entry);
        entry.place = Place::outside;
    }

    void take_slot(Entry& entry) noexcept {
        entry.has_slot = true;
        ++slots_used_;
    }

    Entry* move_front(Place from) noexcept {
        Entry* entry = at(from).front();
        if (entry != nullptr) {
            take_out(*entry);
            put(*entry, Place::running);
        }
        return entry;
    }

    void fill_slots() noexcept {
        while (free_slots() > 0 && !at(Place::queued).empty()) {
            Entry& next = *at(Place::queued).front();
            take_out(next);
            take_slot(next);
            put(next, Place::starting);
        }
    }

    std::array<List, place_count> lists_{};
    std::size_t max_running_;
    std::size_t max_queued_;
    std::size_t slots_used_ = 0;
    std::uint64_t submitted_ = 0;
    std::array<std::uint64_t, 3> ended_{};
};

}  // namespace nbaio
