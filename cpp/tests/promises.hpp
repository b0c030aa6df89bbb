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

    void came(const Entry& entry) { came_[entry.kind] = ++clock_; }

    /// Requires: came() was told before. `in_turn`: the producers confirm in the order in which they were admitted.
    void was_accepted(const Admission& admission, const Entry& entry, bool in_turn) {
        accepted_[entry.kind] = ++clock_;
        guest_[entry.kind] = false;
        require(all_after(admission.at(Place::line), came_, entry), "accepted before one who stood in line earlier");
        require(!in_turn || all_after(admission.at(Place::granted), came_, entry),
                "accepted before one who came earlier and has a place kept");
    }

    void was_accepted_as_guest(const Entry& entry) { guest_[entry.kind] = true; }

    /// Requires: was_accepted() was told before.
    void has_begun(const Admission& admission, const Entry& entry) const {
        require(all_after(admission.at(Place::starting), accepted_, entry), "began before one that started earlier");
        require(all_after(admission.at(Place::queued), accepted_, entry), "began before one that was queued earlier");
    }

    /// To be told before a limit is set: whether it is lowered is found out here.
    void limit_will_be(std::size_t before, std::size_t after) { lowered_ = after < before; }

    /// What holds after every operation.
    void stand(const Admission& now) {
        require(now.free_slots() == 0 || now.queued() == 0, "a slot is free while the queue is not empty");
        require(now.submitted() == now.ended(Outcome::succeeded) + now.ended(Outcome::failed) +
                                       now.ended(Outcome::cancelled) + now.queued() + now.running(),
                "the accounts do not add up");
        // With no kept place to wait for and nobody inside who could end, only admitting helps those in line.
        require(now.at(Place::line).empty() || now.at(Place::granted).size() + now.queued() + now.running() > 0 ||
                    now.can_admit(),
                "those in line can wait for nobody and are not admitted");

        // A limit holds until it is lowered; what is above it then may only become less.
        const std::size_t slots = with_slot(now);
        const std::size_t surplus = slots - std::min(slots, now.max_running());
        require(lowered_ || surplus <= surplus_running_, "more run than may");
        surplus_running_ = surplus;

        const std::size_t places = now.max_queued() + now.free_slots();
        const std::size_t taken =
            now.max_queued() == Admission::unbounded ? 0 : now.queued() + now.at(Place::granted).size();
        const std::size_t overflow = taken - std::min(taken, places);
        require(lowered_ || overflow <= surplus_queued_, "more are queued, or have a place kept, than may");
        surplus_queued_ = overflow;
        lowered_ = false;
    }

private:
    using Times = std::array<std::uint64_t, most>;

    static bool all_after(const List& list, const Times& times, const Entry& entry) {
        for (const Entry* other = list.front(); other != nullptr; other = other->next) {
            if (times[other->kind] <= times[entry.kind]) return false;
        }
        return true;
    }

    [[nodiscard]] std::size_t with_slot(const Admission& now) const {
        std::size_t count = 0;
        for (const Place place : {Place::starting, Place::ready, Place::running}) {
            for (const Entry* entry = now.at(place).front(); entry != nullptr; entry = entry->next) {
                if (!guest_[entry->kind]) ++count;
            }
        }
        return count;
    }

    std::uint64_t clock_ = 0;
    Times came_{};
    Times accepted_{};
    std::array<bool, most> guest_{};
    std::size_t surplus_running_ = 0;
    std::size_t surplus_queued_ = 0;
    bool lowered_ = false;
};

}  // namespace nbaio
