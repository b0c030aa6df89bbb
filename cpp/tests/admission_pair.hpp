// An admission next to its naive model: each operation is applied to both, and afterwards nothing may differ.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "core/admission.hpp"
#include "tests/naive_admission.hpp"
#include "tests/promises.hpp"

namespace nbaio {

/// Entries are known to the model by their index, which is also their Entry::kind. Every operation throws a Mismatch if
/// the two answer differently or a promise is broken; compare() does if they stand differently.
class AdmissionPair {
public:
    using Id = NaiveAdmission::Id;
    using Ids = NaiveAdmission::Ids;
    static constexpr std::size_t entry_count = 12;

    AdmissionPair(std::size_t max_running, std::size_t max_queued)
        : core_(max_running, max_queued), model_(max_running, max_queued) {
        for (Id id = 0; id < entry_count; ++id) {
            entries_[id].kind = static_cast<std::uint8_t>(id);
            entries_[id].loan = &loans_[id];
        }
    }

    [[nodiscard]] const NaiveAdmission& model() const { return model_; }
    Entry& entry(Id id) { return entries_.at(id); }

    /// Those who are in no place, as the model sees it: a core that has lost somebody cannot hide it.
    [[nodiscard]] Ids outside() const {
        std::array<bool, entry_count> seen{};
        for (const Place place : places) {
            for (const Id id : model_.at(place)) seen.at(id) = true;
        }
        Ids ids;
        for (Id id = 0; id < entry_count; ++id) {
            if (!seen.at(id)) ids.push_back(id);
        }
        return ids;
    }

    // -- Operations ------------------------------------------------------------------------------------------------

    void accept(Entry& entry) {
        promises_.came(entry);
        core_.accept(entry);
        model_.accept(entry.kind);
        promises_.was_accepted(core_, entry, true);
    }
    void begin(Entry& entry) {
        promises_.came(entry);
        core_.begin(entry);
        model_.begin(entry.kind);
        promises_.was_accepted(core_, entry, true);
        promises_.has_begun(core_, entry);
    }
    void begin_as_guest(Entry& entry) {
        core_.begin_as_guest(entry);
        model_.begin_as_guest(entry.kind);
        promises_.was_accepted_as_guest(entry);
    }
    void stand_in_line(Entry& entry, bool keeps_place) {
        promises_.came(entry);
        core_.stand_in_line(entry, keeps_place);
        model_.stand_in_line(entry.kind, keeps_place);
    }
    const Entry* admit_next() {
        const Entry* admitted = same_entry("admit_next()", core_.admit_next(), model_.admit_next());
        if (admitted != nullptr && admitted->place != Place::granted) promises_.was_accepted(core_, *admitted, true);
        return admitted;
    }
    void confirm(Entry& entry) {
        const bool in_turn = model_.at(Place::granted).front() == entry.kind;
        core_.confirm(entry);
        model_.confirm(entry.kind);
        promises_.was_accepted(core_, entry, in_turn);
    }
    void withdraw(Entry& entry) {
        core_.withdraw(entry);
        model_.withdraw(entry.kind);
    }
    void unaccept(Entry& entry) {
        core_.unaccept(entry);
        model_.unaccept(entry.kind);
    }
    void lend(Entry& lender, Entry& borrower) {
        promises_.will_be_lent_to(borrower);
        core_.lend(lender, borrower);
        model_.lend(lender.kind, borrower.kind);
    }
    void accept_on_loan(Entry& lender, Entry& entry) {
        promises_.came(entry);
        promises_.will_be_lent_to(entry);
        core_.accept_on_loan(lender, entry);
        model_.accept_on_loan(lender.kind, entry.kind);
    }
    void look_at(Entry& entry) {
        core_.look_at(entry);
        model_.look_at(entry.kind);
    }
    void go_on(Entry& entry) {
        promises_.will_go_on(entry);
        core_.go_on(entry);
        model_.go_on(entry.kind);
    }
    void return_extra_slot(Entry& entry) {
        core_.return_extra_slot(entry);
        model_.return_extra_slot(entry.kind);
    }
    void write_off_loan(Entry& entry) {
        promises_.will_write_off();
        core_.write_off_loan(entry);
        model_.write_off_loan(entry.kind);
    }
    void want_back(Entry& entry) {
        core_.want_back(entry);
        model_.want_back(entry.kind);
    }
    const Entry* next_repaid() { return same_entry("next_repaid()", core_.next_repaid(), model_.next_repaid()); }
    void start_next() {
        const Entry* started = same_entry("start_next()", core_.start_next(), model_.start_next());
        if (started != nullptr) promises_.has_begun(core_, *started);
    }
    void resume_next() { same_entry("resume_next()", core_.resume_next(), model_.resume_next()); }
    void give_way(Entry& entry) {
        core_.give_way(entry);
        model_.give_way(entry.kind);
    }
    void finish(Entry& entry, Outcome outcome) {
        core_.finish(entry, outcome);
        model_.finish(entry.kind, outcome);
    }
    void set_max_running(std::size_t limit) {
        promises_.limit_will_be(model_.max_running, limit);
        core_.set_max_running(limit);
        model_.set_max_running(limit);
    }
    void set_max_queued(std::size_t limit) {
        // No bound is the highest of all: one less than 0, unsigned.
        promises_.limit_will_be(model_.max_queued - 1, limit - 1);
        core_.set_max_queued(limit);
        model_.set_max_queued(limit);
    }

    // -- Comparison ------------------------------------------------------------------------------------------------

    void compare() {
        for (const Place place : places) compare_list(place);
        for (const Id id : outside()) {
            const Entry& entry = entries_.at(id);
            require(entry.place == Place::outside, "an entry outside is marked for a place inside");
            require(entry.prev == nullptr && entry.next == nullptr, "an entry outside has links");
            require(!entry.has_slot, "an entry outside has a slot");
            require(entry.lender() == nullptr && entry.borrower() == nullptr, "an entry outside lends or borrows");
        }
        for (const Entry& entry : entries_) compare_loans(entry);
        same("max_running()", core_.max_running(), model_.max_running);
        same("max_queued()", core_.max_queued(), model_.max_queued);
        same("slots_used()", core_.slots_used(), model_.slots_used());
        same("free_slots()", core_.free_slots(), model_.free_slots());
        same("room()", core_.room(), model_.room());
        same("spare_room()", core_.spare_room(), model_.spare_room());
        same("welcomes()", core_.welcomes(), model_.welcomes());
        same("can_begin()", core_.can_begin(), model_.can_begin());
        same("can_admit()", core_.can_admit(), model_.can_admit());
        same("queued()", core_.queued(), model_.queued());
        same("running()", core_.running(), model_.running());
        same("waiting()", core_.waiting(), model_.waiting());
        same("submitted()", core_.submitted(), model_.submitted());
        same("ended()", core_.ended(), model_.ended());
        same("ended(succeeded)", core_.ended(Outcome::succeeded), model_.ended(Outcome::succeeded));
        same("ended(failed)", core_.ended(Outcome::failed), model_.ended(Outcome::failed));
        same("ended(cancelled)", core_.ended(Outcome::cancelled), model_.ended(Outcome::cancelled));
        same("idle()", core_.idle(), model_.idle());
        same("has_work()", core_.has_work(), model_.has_work());
        promises_.stand(core_);
    }

private:
    static constexpr std::array<Place, place_count - 1> places = {Place::line,     Place::granted,   Place::queued,
                                                                  Place::starting, Place::ready,     Place::running,
                                                                  Place::lending,  Place::returning, Place::repaid};

    template <typename Value>
    static void same(const char* what, Value core, Value model) {
        if (core == model) return;
        throw Mismatch(std::string(what) + " is " + std::to_string(core) + ", the model says " + std::to_string(model));
    }

    static const Entry* same_entry(const char* what, const Entry* core, std::optional<Id> model) {
        constexpr int nobody = -1;
        same(what, core != nullptr ? static_cast<int>(core->kind) : nobody, model ? static_cast<int>(*model) : nobody);
        return core;
    }

    /// Whether the links from one end of a list lead to exactly these ids.
    template <typename Iterator>
    static bool leads_along(const Entry* entry, Entry* Entry::* link, Iterator first, const Iterator& last) {
        for (; first != last; ++first, entry = entry->*link) {
            if (entry == nullptr || entry->kind != *first) return false;
        }
        return entry == nullptr;
    }

    void compare_list(Place place) const {
        const List& list = core_.at(place);
        const Ids& row = model_.at(place);
        const bool forward = leads_along(list.front(), &Entry::next, row.begin(), row.end());
        const bool backward = leads_along(list.back(), &Entry::prev, row.rbegin(), row.rend());
        if (!forward || !backward) throw Mismatch(difference(place, row));
        same("size()", list.size(), row.size());
        same("empty()", list.empty(), row.empty());
        for (const Id id : row) {
            const Entry& entry = entries_.at(id);
            require(entry.place == place, "an entry is marked for another place than it is in");
            if (place == Place::line || place == Place::granted) {
                same("keeps_place", entry.keeps_place, model_.keeps_place(id));
            }
        }
    }

    void compare_loans(const Entry& entry) const {
        same("has_slot", entry.has_slot, model_.has_slot(entry.kind));
        same("has_extra_slot()", Admission::has_extra_slot(entry), model_.has_extra_slot(entry.kind));
        same("can_lend()", Admission::can_lend(entry), model_.can_lend(entry.kind));
        same("wants_slot()", Admission::wants_slot(entry), model_.wants_slot(entry.kind));
        same_entry("lender", entry.lender(), model_.lender(entry.kind));
        same_entry("borrower", entry.borrower(), model_.borrower(entry.kind));
    }

    /// Guarantees: ends, even if the links go in a circle.
    [[nodiscard]] std::string difference(Place place, const Ids& row) const {
        std::string text = "place " + std::to_string(static_cast<int>(place)) + " holds";
        const auto add = [&text](Id id) { text += ' ' + std::to_string(id); };
        std::size_t left = entry_count;
        for (const Entry* entry = core_.at(place).front(); entry != nullptr && left > 0; entry = entry->next, --left) {
            add(entry->kind);
        }
        text += ", from the back";
        left = entry_count;
        for (const Entry* entry = core_.at(place).back(); entry != nullptr && left > 0; entry = entry->prev, --left) {
            add(entry->kind);
        }
        text += "; the model says";
        for (const Id id : row) add(id);
        return text;
    }

    Admission core_;
    NaiveAdmission model_;
    Promises promises_;
    std::array<Entry, entry_count> entries_{};
    std::array<Loan, entry_count> loans_{};
};

}  // namespace nbaio
