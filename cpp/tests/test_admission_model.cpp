// A million random operations on the admission and on the naive model of it, compared after each one; and the promises
// of core/admission.hpp, checked on their own, in case both are wrong in the same way.
//
// NBAIO_SEED=<number> chooses the walks; a failure prints the number that repeats it.
#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>

#include "tests/admission_pair.hpp"
#include "tests/sightings.hpp"

#ifdef _MSC_VER
#pragma warning(disable : 4996)  // getenv
#endif

namespace nbaio {
namespace {

/// Random operations on one pair after another, each pair with its own limits and its own liking for operations.
class Walk {
public:
    Walk(std::uint64_t seed, Sightings& sightings) : random_(seed), seed_(seed), seen_(sightings) {}

    void make_steps(std::size_t count) {
        std::size_t step = 0;
        Op op = Op::accept;
        try {
            while (step < count) {
                set_out();
                for (std::size_t left = 20 + pick(400); left > 0 && step < count; --left) {
                    perform_any(op);
                    pair_->compare();
                    ++seen_.done.at(index_of(op));
                    ++step;
                }
            }
        } catch (const Mismatch& mismatch) {
            const std::string where = op_names.at(index_of(op));
            const std::string what = mismatch.what();
            FAIL("NBAIO_SEED=", seed_, ", step ", step, ", ", where, ": ", what);
        }
    }

private:
    std::size_t pick(std::size_t below) { return static_cast<std::size_t>(random_() % below); }

    void set_out() {
        const std::size_t max_running = 1 + pick(4);
        pair_ = std::make_unique<AdmissionPair>(max_running, pick(5));
        const bool resizes = pick(2) == 0;
        total_weight_ = 0;
        for (std::size_t op = 0; op < op_count; ++op) {
            const bool is_resize = op >= index_of(Op::set_max_running);
            weights_.at(op) = !is_resize ? 1 + pick(12) : resizes ? 1 + pick(4) : 0;
        }
        if (pick(2) == 0) {  // deep chains, and many slots too many
            for (const Op op : {Op::accept, Op::lend, Op::go_on, Op::return_extra_slot}) weights_.at(index_of(op)) *= 4;
            for (const Op op : {Op::begin_as_guest, Op::take_repaid, Op::withdraw, Op::unaccept, Op::write_off_loan}) {
                weights_.at(index_of(op)) = 1;
            }
        }
        for (const std::size_t weight : weights_) total_weight_ += weight;
    }

    Op likely_op() {
        std::size_t rest = pick(total_weight_);
        std::size_t op = 0;
        while (rest >= weights_.at(op)) rest -= weights_.at(op++);
        return static_cast<Op>(op);
    }

    /// Null if nobody is there.
    Entry* anyone_of(const NaiveAdmission::Ids& ids) {
        return ids.empty() ? nullptr : &pair_->entry(ids[pick(ids.size())]);
    }
    Entry* anyone_at(Place place) {
        return place == Place::outside ? anyone_of(pair_->outside()) : anyone_of(pair_->model().at(place));
    }

    /// Tells `op` before it is performed, for the message if it fails.
    void perform_any(Op& op) {
        const NaiveAdmission::Ids returning = pair_->model().at(Place::returning);
        const std::size_t queued = pair_->model().queued();
        do {
            op = likely_op();
        } while (!perform(op));
        const NaiveAdmission& model = pair_->model();
        if (op == Op::lend || op == Op::go_on || model.at(Place::returning).size() >= returning.size()) return;
        if (model.place_of(returning.back()) != Place::repaid) return;  // it has ended, or another has
        ++seen_.returned_by_free_slot;
        if (returning.size() > 1) ++seen_.returned_last_first;
        if (queued > 0) ++seen_.returned_before_queue;
    }

    /// Guarantees: false, and nothing was done, if what the operation requires is not there.
    bool perform(Op op) {
        const NaiveAdmission& model = pair_->model();
        switch (op) {
            case Op::accept: return model.welcomes() && with_anyone_at(Place::outside, &AdmissionPair::accept);
            case Op::begin: return model.can_begin() && with_anyone_at(Place::outside, &AdmissionPair::begin);
            case Op::begin_as_guest: return with_anyone_at(Place::outside, &AdmissionPair::begin_as_guest);
            case Op::line_up_for_a_place: return line_up(true);
            case Op::line_up_to_be_accepted: return line_up(false);
            case Op::admit: return admit();
            case Op::confirm: return confirm();
            case Op::withdraw: return withdraw();
            case Op::unaccept: return unaccept();
            case Op::lend: return lend();
            case Op::accept_on_loan: return accept_on_loan();
            case Op::look_at: return with_anyone_of(lenders(), &AdmissionPair::look_at);
            case Op::go_on: return go_on();
            case Op::return_extra_slot: return return_extra_slot();
            case Op::write_off_loan: return write_off_loan();
            case Op::want_back: return want_back();
            case Op::take_repaid: return take_repaid();
            case Op::start: pair_->start_next(); return true;
            case Op::resume: pair_->resume_next(); return true;
            case Op::give_way: return with_anyone_at(Place::running, &AdmissionPair::give_way);
            case Op::finish: return finish();
            case Op::set_max_running: return resize();
            case Op::set_max_queued: return rebound();
        }
        return false;
    }

    bool with_anyone_at(Place place, void (AdmissionPair::*operation)(Entry&)) {
        return with_anyone_of(place == Place::outside ? pair_->outside() : pair_->model().at(place), operation);
    }
    bool with_anyone_of(const NaiveAdmission::Ids& ids, void (AdmissionPair::*operation)(Entry&)) {
        Entry* entry = anyone_of(ids);
        if (entry != nullptr) ((*pair_).*operation)(*entry);
        return entry != nullptr;
    }

    bool line_up(bool keeps_place) {
        Entry* entry = anyone_at(Place::outside);
        if (entry != nullptr) pair_->stand_in_line(*entry, keeps_place);
        return entry != nullptr;
    }

    bool admit() {
        const Entry* entry = pair_->admit_next();
        ++(entry == nullptr                 ? seen_.not_admitted
           : entry->place == Place::granted ? seen_.places_kept
                                            : seen_.accepted_from_line);
        return true;
    }

    bool confirm() {
        Entry* entry = anyone_at(Place::granted);
        if (entry == nullptr) return false;
        if (pair_->model().at(Place::granted).front() != entry->kind) ++seen_.confirmed_out_of_turn;
        if (entry->lender() != nullptr) ++seen_.confirmed_on_loan;
        pair_->confirm(*entry);
        return true;
    }

    bool withdraw() {
        const Place place = pick(2) == 0 ? Place::line : Place::granted;
        Entry* entry = anyone_at(place);
        if (entry == nullptr) return false;
        ++seen_.withdrawn_from.at(index_of(place));
        if (entry->lender() != nullptr) ++seen_.withdrawn_on_loan;
        if (repays_extra_slot(*entry)) ++seen_.extra_vanished_before_begin;
        pair_->withdraw(*entry);
        return true;
    }

    bool unaccept() {
        const Place place = pick(2) == 0 ? Place::queued : Place::starting;
        Entry* entry = anyone_at(place);
        if (entry == nullptr) return false;
        ++seen_.unaccepted_from.at(index_of(place));
        if (entry->lender() != nullptr) ++seen_.unaccepted_on_loan;
        if (repays_extra_slot(*entry)) ++seen_.extra_vanished_before_begin;
        pair_->unaccept(*entry);
        return true;
    }

    [[nodiscard]] NaiveAdmission::Ids lenders() const {
        NaiveAdmission::Ids ids;
        for (NaiveAdmission::Id id = 0; id < AdmissionPair::entry_count; ++id) {
            if (pair_->model().can_lend(id)) ids.push_back(id);
        }
        return ids;
    }

    bool lend() {
        constexpr std::array places = {Place::line, Place::granted, Place::queued, Place::returning};
        const NaiveAdmission& model = pair_->model();
        Entry* lender = anyone_of(lenders());
        const Place place = places.at(pick(places.size()));
        Entry* borrower = anyone_at(place);
        if (lender == nullptr || borrower == nullptr || !model.wants_slot(borrower->kind)) return false;
        ++seen_.lent_from.at(index_of(lender->place));
        ++seen_.lent_to.at(index_of(place));
        if (place == Place::line && !borrower->keeps_place) ++seen_.lent_to_be_accepted;
        if (place == Place::returning && model.chain_of(borrower->kind).back() == lender->kind) {
            ++seen_.lent_to_own_lender;
        }
        pair_->lend(*lender, *borrower);
        if (model.chain_of(lender->kind).size() > 2) ++seen_.long_chains;
        return true;
    }

    bool accept_on_loan() {
        Entry* lender = anyone_of(lenders());
        Entry* entry = anyone_at(Place::outside);
        if (lender == nullptr || entry == nullptr) return false;
        if (lender->lender() != nullptr) ++seen_.accepted_on_loan_by_borrower;
        pair_->accept_on_loan(*lender, *entry);
        return true;
    }

    bool go_on() {
        constexpr std::array places = {Place::running, Place::lending, Place::lending, Place::returning, Place::repaid};
        const Place place = places.at(pick(places.size()));
        Entry* entry = anyone_at(place);
        if (pick(2) == 0) {  // two in one chain, for once
            const Entry* with_extra = anyone_with_extra_slot();
            if (with_extra != nullptr && with_extra->lender() != nullptr) entry = with_extra->lender();
        }
        if (entry == nullptr || entry->place == Place::ready || is_guest(*entry)) return false;
        ++seen_.gone_on_from.at(index_of(entry->place));
        const NaiveAdmission& model = pair_->model();
        if (!entry->has_slot && model.free_slots() == 0) ++seen_.overdrawn;
        pair_->go_on(*entry);
        return true;
    }

    /// The first choice is among those who are rare: in the middle of a chain, or looked at.
    Entry* anyone_with_extra_slot() {
        const NaiveAdmission& model = pair_->model();
        NaiveAdmission::Ids all;
        NaiveAdmission::Ids rare;
        for (NaiveAdmission::Id id = 0; id < AdmissionPair::entry_count; ++id) {
            if (!model.has_extra_slot(id)) continue;
            all.push_back(id);
            if (model.lender(id) || model.place_of(id) == Place::repaid) rare.push_back(id);
        }
        return anyone_of(!rare.empty() && pick(2) == 0 ? rare : all);
    }

    bool return_extra_slot() {
        const NaiveAdmission& model = pair_->model();
        Entry* entry = anyone_with_extra_slot();
        if (entry == nullptr) return false;
        ++seen_.extra_returned_from.at(index_of(entry->place));
        const std::size_t queued = model.queued();
        pair_->return_extra_slot(*entry);
        if (model.queued() < queued) ++seen_.extra_returned_to_queue;
        return true;
    }

    bool write_off_loan() {
        const NaiveAdmission& model = pair_->model();
        if (!with_anyone_at(Place::lending, &AdmissionPair::write_off_loan)) return false;
        if (model.slots_used() > model.max_running) ++seen_.written_off_above_limit;
        return true;
    }

    bool want_back() {
        Entry* entry = anyone_at(Place::lending);
        if (entry == nullptr) return false;
        pair_->want_back(*entry);
        ++(pair_->model().has_slot(entry->kind) ? seen_.wanted_back_and_got : seen_.wanted_back_in_vain);
        return true;
    }

    bool take_repaid() {
        if (pair_->next_repaid() == nullptr) ++seen_.none_repaid;
        return true;
    }

    static bool is_guest(const Entry& entry) {
        return !entry.has_slot && (entry.place == Place::running || entry.place == Place::ready);
    }

    /// Whether an entry has the slot of one that goes on with an extra one.
    static bool repays_extra_slot(const Entry& entry) {
        return entry.has_slot && entry.borrower() == nullptr && entry.lender() != nullptr && entry.lender()->has_slot;
    }

    bool finish() {
        constexpr std::array places = {Place::queued,  Place::starting,  Place::ready, Place::running,
                                       Place::lending, Place::returning, Place::repaid};
        Entry* entry = pick(4) == 0 ? anyone_with_extra_slot() : anyone_at(places.at(pick(places.size())));
        if (entry == nullptr) return false;
        const auto outcome = static_cast<Outcome>(pick(3));
        const NaiveAdmission& model = pair_->model();
        const bool over = model.slots_used() > model.max_running;
        if (is_guest(*entry)) ++seen_.finished_guests;
        if (entry->lender() != nullptr && entry->borrower() != nullptr) ++seen_.claims_passed_on;
        if (entry->lender() == nullptr && entry->borrower() != nullptr) ++seen_.finished_below_own_slot;
        if (entry->lender() != nullptr && !entry->lender()->has_slot && entry->has_slot && over)
            ++seen_.repaid_above_limit;
        if (repays_extra_slot(*entry)) ++seen_.extra_vanished;
        if (entry->has_slot && entry->borrower() != nullptr && entry->lender() != nullptr) {
            ++(entry->lender()->has_slot ? seen_.extra_above_extra : seen_.extra_passed_on);
        }
        if (entry->lender() == nullptr && entry->has_slot && over) ++seen_.overdrafts_released;
        ++seen_.finished_at.at(index_of(entry->place));
        ++seen_.outcomes.at(index_of(outcome));
        pair_->finish(*entry, outcome);
        return true;
    }

    bool resize() {
        const NaiveAdmission& model = pair_->model();
        const std::size_t queued = model.queued();
        pair_->set_max_running(1 + pick(5));
        if (model.queued() > queued) ++seen_.sent_back;
        if (model.slots_used() > model.max_running && !model.at(Place::starting).empty()) ++seen_.left_alone_on_loan;
        return true;
    }

    bool rebound() {
        pair_->set_max_queued(pick(6));
        if (pair_->model().max_queued == Admission::unbounded) ++seen_.unbounded;
        return true;
    }

    std::mt19937_64 random_;
    std::uint64_t seed_;
    Sightings& seen_;
    std::unique_ptr<AdmissionPair> pair_;
    std::array<std::size_t, op_count> weights_{};
    std::size_t total_weight_ = 0;
};

std::uint64_t first_seed() {
    const char* chosen = std::getenv("NBAIO_SEED");
    if (chosen == nullptr || *chosen == '\0') return 20240229;
    char* end = nullptr;
    const std::uint64_t seed = std::strtoull(chosen, &end, 10);
    REQUIRE_MESSAGE(*end == '\0', "NBAIO_SEED is not a number: ", std::string(chosen));
    return seed;
}

TEST_CASE("the admission does what its naive model does, at each of a million random operations") {
    constexpr std::size_t walks = 4;
    constexpr std::size_t steps = 250'000;
    Sightings seen;
    const std::uint64_t seed = first_seed();
    for (std::size_t i = 0; i < walks; ++i) Walk(seed + i, seen).make_steps(steps);

    check_enough_seen(seen);
}

}  // namespace
}  // namespace nbaio
