// The same rules as core/admission.hpp, said as plainly as possible: vectors of numbers, searched and counted anew each
// time something is asked. Slow, and meant to be: there is no mark or link here that could be out of step.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <optional>
#include <vector>

#include "core/entry.hpp"

namespace nbaio {

class NaiveAdmission {
public:
    using Id = std::size_t;
    using Ids = std::vector<Id>;

    NaiveAdmission(std::size_t running_limit, std::size_t queue_limit)
        : max_running(running_limit), max_queued(queue_limit) {}

    std::size_t max_running;  // both to be changed by their set_...() only
    std::size_t max_queued;   // 0: no bound

    // -- Who is where ----------------------------------------------------------------------------------------------

    [[nodiscard]] const Ids& at(Place place) const { return rows_.at(static_cast<std::size_t>(place)); }
    [[nodiscard]] Place place_of(Id id) const {
        for (std::size_t place = 0; place < place_count; ++place) {
            if (has(rows_.at(place), id)) return static_cast<Place>(place);
        }
        return Place::outside;
    }
    [[nodiscard]] bool keeps_place(Id id) const { return has(keepers_, id); }

    // -- Who has whose slot ----------------------------------------------------------------------------------------

    /// Those who have lent a slot one to the next, and at the end the one that has it. Empty if the id is none of them.
    /// Any but the last may have an extra slot besides, which is in no chain.
    [[nodiscard]] const Ids& chain_of(Id id) const {
        static const Ids none;
        for (const Ids& chain : slots_) {
            if (has(chain, id)) return chain;
        }
        return none;
    }
    [[nodiscard]] bool has_slot(Id id) const {
        const Ids& chain = chain_of(id);
        return has_extra_slot(id) || (!chain.empty() && chain.back() == id);
    }
    [[nodiscard]] bool has_extra_slot(Id id) const { return has(extra_, id); }
    [[nodiscard]] std::optional<Id> lender(Id id) const {
        const Ids& chain = chain_of(id);
        if (chain.empty() || chain.front() == id) return std::nullopt;
        return *std::prev(std::find(chain.begin(), chain.end(), id));
    }
    [[nodiscard]] std::optional<Id> borrower(Id id) const {
        const Ids& chain = chain_of(id);
        if (chain.empty() || chain.back() == id) return std::nullopt;
        return *std::next(std::find(chain.begin(), chain.end(), id));
    }
    [[nodiscard]] bool can_lend(Id id) const {
        return is_at_one_of({Place::running, Place::repaid}, id) && has_slot(id) && !has_extra_slot(id);
    }
    [[nodiscard]] bool wants_slot(Id id) const {
        return is_at_one_of({Place::line, Place::granted, Place::queued, Place::returning}, id) && !has_slot(id);
    }

    // -- Answers ---------------------------------------------------------------------------------------------------

    [[nodiscard]] std::size_t slots_used() const { return slots_.size() + extra_.size(); }
    [[nodiscard]] std::size_t free_slots() const { return max_running - std::min(max_running, slots_used()); }
    [[nodiscard]] std::size_t room() const {
        if (max_queued == 0) return std::numeric_limits<std::size_t>::max();
        const std::size_t places = free_slots() + max_queued;
        std::size_t taken = queued();
        for (const Id id : at(Place::granted)) {
            if (!has_slot(id)) ++taken;  // one on loan needs no place
        }
        return places - std::min(places, taken);
    }
    [[nodiscard]] std::size_t spare_room() const { return room() - std::min(room(), at(Place::line).size()); }
    [[nodiscard]] bool welcomes() const { return waiting() == 0 && room() > 0; }
    [[nodiscard]] bool can_begin() const { return welcomes() && free_slots() > 0 && at(Place::starting).empty(); }
    [[nodiscard]] bool can_admit() const {
        const Ids& line = at(Place::line);
        return !line.empty() && room() > 0 && (at(Place::granted).empty() || keeps_place(line.front()));
    }
    [[nodiscard]] std::size_t queued() const { return at(Place::queued).size(); }
    [[nodiscard]] std::size_t running() const {
        std::size_t everybody = 0;
        for (const Ids& row : rows_) everybody += row.size();
        return everybody - queued() - waiting();
    }
    [[nodiscard]] std::size_t waiting() const { return at(Place::line).size() + at(Place::granted).size(); }
    [[nodiscard]] std::uint64_t submitted() const { return submitted_; }
    [[nodiscard]] std::uint64_t ended() const { return outcomes_.size(); }
    [[nodiscard]] std::uint64_t ended(Outcome outcome) const {
        return static_cast<std::uint64_t>(std::count(outcomes_.begin(), outcomes_.end(), outcome));
    }
    [[nodiscard]] bool idle() const { return waiting() + queued() + running() == 0; }
    [[nodiscard]] bool has_work() const {
        return at(Place::starting).size() + at(Place::ready).size() + at(Place::repaid).size() > 0 || can_admit();
    }

    // -- Coming in -------------------------------------------------------------------------------------------------

    void accept(Id id) {
        ++submitted_;
        move(id, Place::queued);
        fill_slots();
    }
    void begin(Id id) {
        slots_.push_back({id});
        begin_as_guest(id);
    }
    void begin_as_guest(Id id) {
        ++submitted_;
        move(id, Place::running);
    }
    void stand_in_line(Id id, bool keeps_place) {
        move(id, Place::line);
        if (keeps_place) keepers_.push_back(id);
    }
    std::optional<Id> admit_next() {
        if (!can_admit()) return std::nullopt;
        const Id id = at(Place::line).front();
        if (keeps_place(id)) {
            move(id, Place::granted);
        } else {
            accept(id);
        }
        return id;
    }
    void confirm(Id id) {
        drop(keepers_, id);
        ++submitted_;
        // A free slot may have been kept for it.
        if (!has_slot(id) && free_slots() > 0) make_slot(id);
        move(id, has_slot(id) ? Place::starting : Place::queued);
    }
    void withdraw(Id id) {
        drop(keepers_, id);
        leave(id);
    }
    void unaccept(Id id) {
        --submitted_;
        leave(id);
    }

    // -- Lending ---------------------------------------------------------------------------------------------------

    void lend(Id lender, Id borrower) {
        const Place from = place_of(borrower);
        if (from == Place::line && !keeps_place(borrower)) ++submitted_;
        move(lender, Place::lending);
        hand_over(lender, borrower);
        move(borrower, from == Place::returning ? Place::repaid
                       : keeps_place(borrower)  ? Place::granted
                                                : Place::starting);
        fill_slots();
    }
    void accept_on_loan(Id lender, Id id) {
        ++submitted_;
        move(lender, Place::returning);
        hand_over(lender, id);
        move(id, Place::starting);
        fill_slots();
    }
    void look_at(Id id) { move(id, Place::repaid); }
    void go_on(Id id) {
        move(id, Place::running);
        if (!has_slot(id)) extra_.push_back(id);
    }
    void return_extra_slot(Id id) {
        drop(extra_, id);
        move(id, Place::lending);
        fill_slots();
    }
    void write_off_loan(Id id) {
        make_slot(id);
        move(id, Place::running);
    }
    void want_back(Id id) {
        move(id, Place::returning);
        fill_slots();
    }
    std::optional<Id> next_repaid() { return run_first(Place::repaid); }

    // -- Running ---------------------------------------------------------------------------------------------------

    std::optional<Id> start_next() { return run_first(Place::starting); }
    std::optional<Id> resume_next() { return run_first(Place::ready); }
    void give_way(Id id) { move(id, Place::ready); }
    void finish(Id id, Outcome outcome) {
        outcomes_.push_back(outcome);
        leave(id);
    }
    void set_max_queued(std::size_t limit) {
        max_queued = limit;
        fill_slots();
    }
    void set_max_running(std::size_t limit) {
        const bool lowered = limit < max_running;
        max_running = limit;
        const Ids starting = lowered ? at(Place::starting) : Ids();
        for (auto id = starting.rbegin(); id != starting.rend() && slots_used() > max_running; ++id) {
            if (lender(*id)) continue;
            slots_.erase(std::find(slots_.begin(), slots_.end(), Ids{*id}));
            drop(row(Place::starting), *id);
            row(Place::queued).insert(row(Place::queued).begin(), *id);
        }
        fill_slots();
    }

private:
    static bool has(const Ids& ids, Id id) {
        for (const Id other : ids) {
            if (other == id) return true;
        }
        return false;
    }
    static void drop(Ids& ids, Id id) { ids.erase(std::remove(ids.begin(), ids.end(), id), ids.end()); }

    [[nodiscard]] bool is_at_one_of(std::initializer_list<Place> places, Id id) const {
        for (const Place place : places) {
            if (has(at(place), id)) return true;
        }
        return false;
    }
    Ids& row(Place place) { return rows_.at(static_cast<std::size_t>(place)); }

    /// To the end of the row of a place, or outside.
    void move(Id id, Place place) {
        for (Ids& ids : rows_) drop(ids, id);
        if (place != Place::outside) row(place).push_back(id);
    }
    std::optional<Id> run_first(Place place) {
        if (at(place).empty()) return std::nullopt;
        const Id id = at(place).front();
        move(id, Place::running);
        return id;
    }

    /// Whoever is last in a chain has the slot; a chain of nobody is none.
    void leave_chain(Id id) {
        for (Ids& chain : slots_) drop(chain, id);
        slots_.erase(std::remove(slots_.begin(), slots_.end(), Ids{}), slots_.end());
    }
    void hand_over(Id lender, Id borrower) {
        leave_chain(borrower);
        for (Ids& chain : slots_) {
            if (has(chain, lender)) chain.push_back(borrower);
        }
    }
    /// Gives an id a new slot: those that have its old one, if it lent one, do not owe it to anybody then.
    void make_slot(Id id) {
        Ids below;
        for (Ids& chain : slots_) {
            const auto it = std::find(chain.begin(), chain.end(), id);
            if (it == chain.end()) continue;
            below.assign(std::next(it), chain.end());
            chain.erase(std::next(it), chain.end());
        }
        slots_.push_back(below.empty() ? Ids{id} : below);
    }
    void leave(Id id) {
        const std::optional<Id> owed = has_slot(id) ? lender(id) : std::nullopt;
        const bool was_extra = has_extra_slot(id);
        leave_chain(id);
        drop(extra_, id);
        move(id, Place::outside);
        if (owed && !has_extra_slot(*owed)) {
            if (was_extra) extra_.push_back(*owed);  // those below still have its own
            move(*owed, Place::repaid);
        } else if (owed && !was_extra) {
            drop(extra_, *owed);  // it has its own again
        }
        fill_slots();
    }
    /// Places kept that the queue could not take.
    [[nodiscard]] std::size_t promised_slots() const {
        std::size_t kept = 0;
        for (const Id id : at(Place::granted)) kept += has_slot(id) ? 0U : 1U;
        return max_queued == 0 ? 0 : kept - std::min(kept, max_queued);
    }
    void fill_slots() {
        while (free_slots() > 0) {
            const bool is_back = !at(Place::returning).empty() && free_slots() > promised_slots();
            if (!is_back && at(Place::queued).empty()) return;
            const Id id = is_back ? at(Place::returning).back() : at(Place::queued).front();
            make_slot(id);
            move(id, is_back ? Place::repaid : Place::starting);
        }
    }

    std::array<Ids, place_count> rows_{};
    std::vector<Ids> slots_;  // the chain of each slot in use that is not an extra one
    Ids extra_;               // who has an extra one, in no order
    Ids keepers_;             // in no order
    std::vector<Outcome> outcomes_;
    std::uint64_t submitted_ = 0;
};

}  // namespace nbaio
