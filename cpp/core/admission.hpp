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
#include <utility>

#include "core/entry.hpp"
#include "core/list.hpp"
#include "core/loan.hpp"

namespace nbaio {

/// Slots, a bounded queue in front of them, and a line of producers in front of the queue.
///
/// A slot is given when an entry is accepted, not when it begins: so `slots_used() <= max_running()` and
/// `queued() <= max_queued()` hold at every moment, until a limit is lowered or a lender cannot wait (go_on). Guarantees,
/// for all time, guests (begin_as_guest) and what is on loan (lend) excepted:
///  - a free slot means an empty queue;
///  - entries start in the order in which they were accepted;
///  - nobody is accepted while somebody who came earlier stands in line or has a place kept (those with a kept place
///    come in as they come back for it: the caller wakes them in order);
///  - `submitted() == succeeded() + failed() + cancelled() + queued() + running()`.
class Admission {
public:
    static constexpr std::size_t unbounded = 0;
    /// What counts as running.
    static constexpr std::array begun_or_starting{Place::starting, Place::ready,     Place::running,
                                                  Place::lending,  Place::returning, Place::repaid};

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
        const std::size_t taken = at(Place::queued).size() + at(Place::granted).size() - granted_on_loan_;
        return taken < capacity ? capacity - taken : 0;
    }

    /// How much room is left when everybody who came earlier has got some.
    [[nodiscard]] std::size_t spare_room() const noexcept {
        const std::size_t all = room(), wanted = at(Place::line).size();
        return all > wanted ? all - wanted : 0;
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
        if (entry.has_slot) {
            ++submitted_;
            --granted_on_loan_;
            put(entry, Place::starting);
        } else {
            accept(entry);
        }
    }

    /// Takes an entry out of the line, or gives back the place kept for it. Requires: it is in line or granted.
    void withdraw(Entry& entry) noexcept {
        assert(entry.place == Place::line || entry.place == Place::granted);
        take_out(entry);
        if (entry.has_slot) --granted_on_loan_;
        give_up_slot(entry);
        fill_slots();  // one may have been kept for this entry
    }

    /// Makes an entry that was accepted, and has not begun, one that never was. Requires: it is queued or starting.
    void unaccept(Entry& entry) noexcept {
        assert(entry.place == Place::queued || entry.place == Place::starting);
        take_out(entry);
        --submitted_;
        give_up_slot(entry);
    }

    // -- Lending ---------------------------------------------------------------------------------------------------
    //
    // An entry that waits for work of its own pool gives its slot to that work, and gets it back when the work has
    // ended. Slots are handed from one to the other, so their number stays what it is; only a lender that cannot wait
    // for its slot makes one more.

    /// Whether an entry has what another one needs to go on.
    [[nodiscard]] static bool can_lend(const Entry& entry) noexcept {
        return entry.has_slot && !has_extra_slot(entry) &&
               (entry.place == Place::running || entry.place == Place::repaid);
    }

    /// Whether an entry has a slot while another one still has its own, see go_on().
    [[nodiscard]] static bool has_extra_slot(const Entry& entry) noexcept {
        return entry.has_slot && entry.borrower() != nullptr;
    }

    /// Whether an entry needs a slot to go on or to begin.
    [[nodiscard]] static bool wants_slot(const Entry& entry) noexcept {
        return !entry.has_slot && (entry.place == Place::line || entry.place == Place::granted ||
                                   entry.place == Place::queued || entry.place == Place::returning);
    }

    /// Hands the slot of an entry that waits to one that it waits for, whatever stands before that one. One in line
    /// comes in: it is accepted, or has its place kept. Requires: can_lend(lender), wants_slot(borrower); both have a Loan.
    void lend(Entry& lender, Entry& borrower) noexcept {
        assert(can_lend(lender) && wants_slot(borrower));
        const Place from = borrower.place;
        take_out(borrower);
        move(lender, Place::lending);
        hand_over(lender, borrower);
        if (from == Place::queued) {
            put(borrower, Place::starting);
        } else if (from == Place::returning) {
            put(borrower, Place::repaid);
        } else if (from == Place::granted || borrower.keeps_place) {
            ++granted_on_loan_;
            put(borrower, Place::granted);
        } else {
            ++submitted_;
            put(borrower, Place::starting);
        }
        fill_slots();  // one may have been kept for the borrower
    }

    /// Accepts an entry into the slot of the one that submits it, which then waits for a slot to go on.
    /// Requires: can_lend(lender); the entry is outside; both have a Loan.
    void accept_on_loan(Entry& lender, Entry& entry) noexcept {
        assert(can_lend(lender) && entry.place == Place::outside);
        ++submitted_;
        move(lender, Place::returning);
        hand_over(lender, entry);
        put(entry, Place::starting);
        fill_slots();  // there may be one, kept for somebody in line
    }

    /// Has an entry looked at in the next pass. Requires: can_lend(entry).
    void look_at(Entry& entry) noexcept {
        assert(can_lend(entry));
        move(entry, Place::repaid);
    }

    /// Lets an entry that waits execute again: with its slot, if it has it, or else with an extra one, until its own comes
    /// back or it waits again. Requires: it has begun and has not given way.
    void go_on(Entry& entry) noexcept {
        assert(entry.place >= Place::running);
        move(entry, Place::running);
        if (!entry.has_slot) take_slot(entry);
    }

    /// Takes the extra slot of an entry that waits for work of the pool again. Requires: has_extra_slot(entry).
    void return_extra_slot(Entry& entry) noexcept {
        assert(has_extra_slot(entry));
        entry.has_slot = false;
        --slots_used_;
        move(entry, Place::lending);
        fill_slots();
    }

    /// Lets a lender have a slot of its own, one more than there are if need be, and leaves the one it lent to its
    /// borrower. Requires: it is lending.
    void write_off_loan(Entry& entry) noexcept {
        assert(entry.place == Place::lending);
        forget_borrower(entry);
        take_slot(entry);
        move(entry, Place::running);
    }

    /// Has a lender wait for a slot to go on. Requires: it is lending.
    void want_back(Entry& entry) noexcept {
        assert(entry.place == Place::lending);
        move(entry, Place::returning);
        fill_slots();
    }

    /// The next entry that has a slot again, now running; null if there is none.
    Entry* next_repaid() noexcept { return move_front(Place::repaid); }

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
        give_up_slot(entry);
    }

    // -- Limits ----------------------------------------------------------------------------------------------------

    [[nodiscard]] std::size_t max_running() const noexcept { return max_running_; }
    [[nodiscard]] std::size_t max_queued() const noexcept { return max_queued_; }

    /// Raised: queued entries get the new slots. Lowered: entries that have not begun go back to the front of the
    /// queue, in order; what runs, or is on loan, is left alone. Requires: limit > 0.
    void set_max_running(std::size_t limit) noexcept {
        assert(limit > 0);
        const bool lowered = limit < max_running_;
        max_running_ = limit;
        Entry* last = lowered ? at(Place::starting).back() : nullptr;
        while (slots_used_ > max_running_ && last != nullptr) {
            Entry& entry = *std::exchange(last, last->prev);
            if (entry.lender() != nullptr) continue;  // it has the slot of one that runs
            take_out(entry);
            entry.has_slot = false;
            --slots_used_;
            entry.place = Place::queued;
            list(Place::queued).push_front(entry);
        }
        fill_slots();
    }

    void set_max_queued(std::size_t limit) noexcept {
        max_queued_ = limit;
        fill_slots();  // one may have been kept that is not needed now
    }

    // -- What there is ---------------------------------------------------------------------------------------------

    [[nodiscard]] const List& at(Place place) const noexcept { return lists_[static_cast<std::size_t>(place)]; }

    [[nodiscard]] std::size_t free_slots() const noexcept {
        return slots_used_ < max_running_ ? max_running_ - slots_used_ : 0;
    }
    [[nodiscard]] std::size_t queued() const noexcept { return at(Place::queued).size(); }
    [[nodiscard]] std::size_t slots_used() const noexcept { return slots_used_; }
    [[nodiscard]] std::size_t running() const noexcept {
        std::size_t sum = 0;
        for (const Place place : begun_or_starting) sum += at(place).size();
        return sum;
    }
    /// Producers outside: those in line, and those admitted who have not come back yet.
    [[nodiscard]] std::size_t waiting() const noexcept { return at(Place::line).size() + at(Place::granted).size(); }

    [[nodiscard]] std::uint64_t submitted() const noexcept { return submitted_; }
    [[nodiscard]] std::uint64_t ended() const noexcept { return ended_[0] + ended_[1] + ended_[2]; }
    [[nodiscard]] std::uint64_t ended(Outcome outcome) const noexcept {
        return ended_[static_cast<std::size_t>(outcome)];
    }

    /// Nothing is queued, runs, or waits to come in.
    [[nodiscard]] bool idle() const noexcept { return queued() == 0 && running() == 0 && waiting() == 0; }

    /// Something can be started, resumed or admitted without anything else happening first.
    [[nodiscard]] bool has_work() const noexcept {
        return !at(Place::starting).empty() || !at(Place::ready).empty() || !at(Place::repaid).empty() || can_admit();
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

    void move(Entry& entry, Place place) noexcept {
        take_out(entry);
        put(entry, place);
    }

    void take_slot(Entry& entry) noexcept {
        entry.has_slot = true;
        ++slots_used_;
    }

    static void hand_over(Entry& lender, Entry& borrower) noexcept {
        lender.has_slot = false;
        borrower.has_slot = true;
        leave_chain(borrower);  // one that wanted its slot back gets this one instead
        make_loan(lender, borrower);
    }

    Entry* move_front(Place from) noexcept {
        Entry* entry = at(from).front();
        if (entry != nullptr) move(*entry, Place::running);
        return entry;
    }

    /// Takes the slot of an entry that is going, for the one that lent it, or for the next that needs one.
    void give_up_slot(Entry& entry) noexcept {
        Entry* lender = entry.lender();
        leave_chain(entry);
        if (!entry.has_slot) return;
        entry.has_slot = false;
        if (lender != nullptr && !lender->has_slot) {
            lender->has_slot = true;
            move(*lender, Place::repaid);
        } else {
            --slots_used_;
            fill_slots();
        }
    }

    /// How many free slots are kept for producers that were granted a place and have not come back for it.
    [[nodiscard]] std::size_t promised_slots() const noexcept {
        const std::size_t granted = at(Place::granted).size() - granted_on_loan_;
        return max_queued_ != unbounded && granted > max_queued_ ? granted - max_queued_ : 0;
    }

    /// Lenders that want to go on come before the queue, the last one first: it is the deepest in nested work, and the
    /// less is begun above it, the less is in memory.
    void fill_slots() noexcept {
        while (free_slots() > promised_slots() && !at(Place::returning).empty()) {
            Entry& last = *at(Place::returning).back();
            forget_borrower(last);
            take_slot(last);
            move(last, Place::repaid);
        }
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
    std::size_t granted_on_loan_ = 0;
    std::uint64_t submitted_ = 0;
    std::array<std::uint64_t, 3> ended_{};
};

}  // namespace nbaio
