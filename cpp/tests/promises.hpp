// The guarantees in core/admission.hpp, each checked against what has happened so far and not against a model.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

#include "core/admission.hpp"

namespace nbaio {

/// The core did something else than it should have.
class Mismatch : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

inline void require(bool kept, const char* promise) {
    if (!kept) throw Mismatch(promise);
}

/// Is told of every event, and throws a Mismatch where a guarantee does not hold. Requires: Entry::kind is the entry's
/// number, below `most`.
class Promises {
public:
    static constexpr std::size_t most = 16;

    void came(const Entry& entry) {
        came_[entry.kind] = ++clock_;
        guest_[entry.kind] = false;
        lent_to_[entry.kind] = false;
    }

    /// Requires: came() was told before. `in_turn`: the producers confirm in the order in which they were admitted.
    void was_accepted(const Admission& admission, const Entry& entry, bool in_turn) {
        accepted_[entry.kind] = ++clock_;
        if (lent_to_[entry.kind]) return;
        require(all_after(admission.at(Place::line), came_, entry), "accepted before one who stood in line earlier");
        require(!in_turn || all_after(admission.at(Place::granted), came_, entry),
                "accepted before one who came earlier and has a place kept");
    }

    void was_accepted_as_guest(const Entry& entry) {
        came(entry);
        guest_[entry.kind] = true;
    }

    /// From now on an entry is before its turn, or keeps those waiting who came before it. To be told before it is so.
    void will_be_lent_to(const Entry& entry) { lent_to_[entry.kind] = true; }

    /// To be told before it does.
    void will_go_on(const Entry& entry) { goes_on_ = entry.has_slot ? 0 : 1; }

    /// To be told before a loan is written off.
    void will_write_off() { written_off_ = 1; }

    /// Requires: came() was told before.
    void has_begun(const Admission& admission, const Entry& entry) const {
        if (lent_to_[entry.kind]) return;
        require(all_after(admission.at(Place::starting), accepted_, entry), "began before one that started earlier");
        require(all_after(admission.at(Place::queued), accepted_, entry), "began before one that was queued earlier");
    }

    /// To be told before a limit is set: whether it is lowered is found out here.
    void limit_will_be(std::size_t before, std::size_t after) { lowered_ = after < before; }

    /// What holds after every operation.
    void stand(const Admission& now) {
        require(now.free_slots() == 0 || now.queued() == 0, "a slot is free while the queue is not empty");
        require(now.free_slots() <= promised_slots(now) || now.at(Place::returning).empty(),
                "a slot is free, and kept for nobody, while a lender wants one");
        require(
            now.ended() == now.ended(Outcome::succeeded) + now.ended(Outcome::failed) + now.ended(Outcome::cancelled),
            "more or fewer have ended than in all the ways to end");
        require(now.submitted() == now.ended() + now.queued() + now.running(), "the accounts do not add up");
        // With no kept place to wait for and nobody inside who could end, only admitting helps those in line.
        require(now.at(Place::line).empty() || now.at(Place::granted).size() + now.queued() + now.running() > 0 ||
                    now.can_admit(),
                "those in line can wait for nobody and are not admitted");
        slots_are_where_they_should_be(now);
        limits_hold(now);
        lowered_ = false;
        goes_on_ = 0;
        written_off_ = 0;
    }

private:
    using Times = std::array<std::uint64_t, most>;
    using Marks = std::array<bool, most>;

    /// Of those who wait for their turn: one that got a slot on loan has had, or has given up, its own.
    [[nodiscard]] bool all_after(const List& list, const Times& times, const Entry& entry) const {
        for (const Entry* other = list.front(); other != nullptr; other = other->next) {
            if (!lent_to_[other->kind] && times[other->kind] <= times[entry.kind]) return false;
        }
        return true;
    }

    [[nodiscard]] bool should_have_slot(const Entry& entry) const {
        switch (entry.place) {
            case Place::starting:
            case Place::repaid: return true;
            case Place::ready:
            case Place::running: return !guest_[entry.kind];
            case Place::granted: return lent_to_[entry.kind];
            case Place::outside:
            case Place::line:
            case Place::queued:
            case Place::lending:
            case Place::returning: break;
        }
        return false;
    }

    void slots_are_where_they_should_be(const Admission& now) const {
        std::size_t count = 0;
        for (std::size_t place = 0; place < place_count; ++place) {
            for (const Entry* entry = now.at(static_cast<Place>(place)).front(); entry != nullptr;
                 entry = entry->next) {
                require(entry->has_slot == should_have_slot(*entry),
                        "an entry has a slot where it should not, or none");
                if (entry->has_slot) ++count;
                loans_are_sound(*entry);
            }
        }
        require(count == now.slots_used(), "another number of slots is used than there are entries that have one");
    }

    static void loans_are_sound(const Entry& entry) {
        require(entry.lender() == nullptr || entry.lender()->borrower() == &entry,
                "a lender knows of another borrower");
        require(entry.borrower() == nullptr || entry.borrower()->lender() == &entry,
                "a borrower knows of another lender");
        const bool waits = entry.place == Place::lending || entry.place == Place::returning;
        require(!waits || entry.borrower() != nullptr, "an entry waits for a slot that nobody has");
        require(waits || entry.borrower() == nullptr || may_have_extra_slot(entry),
                "one that has not begun, or has no slot, has lent its own");
        const Entry* last = &entry;
        for (std::size_t left = most; last->borrower() != nullptr; last = last->borrower()) {
            require(--left > 0, "those who lend go in a circle");
        }
        const bool takes_part = entry.lender() != nullptr || entry.borrower() != nullptr;
        require(!takes_part || last->has_slot, "nobody has the slot that was lent");
    }

    static bool may_have_extra_slot(const Entry& entry) {
        return entry.has_slot &&
               (entry.place == Place::ready || entry.place == Place::running || entry.place == Place::repaid);
    }

    /// A limit holds until it is lowered; what is above it then may only become less. A lender that cannot wait makes
    /// one slot more, for which a free one is taken if there is one: a place that was kept may count on that.
    void limits_hold(const Admission& now) {
        const std::size_t slots = now.slots_used();
        const std::size_t surplus = slots - std::min(slots, now.max_running());
        require(lowered_ || surplus <= surplus_running_ + goes_on_ + written_off_, "more run than may");
        surplus_running_ = surplus;
        overdraft_is_bounded(now, surplus);

        const std::size_t places = now.max_queued() + now.free_slots();
        const std::size_t taken = now.max_queued() == Admission::unbounded ? 0 : now.queued() + places_kept(now);
        const std::size_t overflow = taken - std::min(taken, places);
        require(lowered_ || overflow <= surplus_queued_ + goes_on_ + written_off_,
                "more are queued, or have a place kept, than may");
        surplus_queued_ = overflow;
    }

    /// An extra slot is made by a lender that goes on, and there is none for which no borrower has the slot it stands
    /// in for: so it vanishes with the borrower. What is used above the limit and is no extra slot is from a loan
    /// written off or a lowered limit, and may only become less.
    void overdraft_is_bounded(const Admission& now, std::size_t surplus) {
        std::size_t extra = 0;
        for (std::size_t place = 0; place < place_count; ++place) {
            for (const Entry* entry = now.at(static_cast<Place>(place)).front(); entry != nullptr;
                 entry = entry->next) {
                if (entry->has_slot && entry->borrower() != nullptr) ++extra;
            }
        }
        require(extra <= extra_slots_ + goes_on_, "an entry has an extra slot, and did not go on without its own");
        extra_slots_ = extra;
        const std::size_t unexplained = surplus - std::min(surplus, extra);
        require(lowered_ || unexplained <= unexplained_ + written_off_, "an extra slot outlives its loan");
        unexplained_ = unexplained;
    }

    static std::size_t promised_slots(const Admission& now) {
        const std::size_t kept = places_kept(now);
        return now.max_queued() == Admission::unbounded ? 0 : kept - std::min(kept, now.max_queued());
    }

    static std::size_t places_kept(const Admission& now) {
        std::size_t count = 0;
        for (const Entry* entry = now.at(Place::granted).front(); entry != nullptr; entry = entry->next) {
            if (!entry->has_slot) ++count;
        }
        return count;
    }

    std::uint64_t clock_ = 0;
    Times came_{};
    Times accepted_{};
    Marks guest_{};
    Marks lent_to_{};
    std::size_t goes_on_ = 0;      // 1: a lender without its slot does, just now
    std::size_t written_off_ = 0;  // 1: a loan is, just now
    std::size_t extra_slots_ = 0;
    std::size_t unexplained_ = 0;
    std::size_t surplus_running_ = 0;
    std::size_t surplus_queued_ = 0;
    bool lowered_ = false;
};

}  // namespace nbaio
