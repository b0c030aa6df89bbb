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

#ifdef _MSC_VER
#pragma warning(disable : 4996)  // getenv
#endif

namespace nbaio {
namespace {

enum class Op : std::uint8_t {
    accept,
    begin,
    begin_as_guest,
    line_up_for_a_place,
    line_up_to_be_accepted,
    admit,
    confirm,
    withdraw,
    start,
    resume,
    give_way,
    finish,
    set_max_running,
    set_max_queued,
};
constexpr std::array op_names = {"accept",
                                 "begin",
                                 "begin_as_guest",
                                 "stand_in_line, place kept",
                                 "stand_in_line, no place kept",
                                 "admit_next",
                                 "confirm",
                                 "withdraw",
                                 "start_next",
                                 "resume_next",
                                 "give_way",
                                 "finish",
                                 "set_max_running",
                                 "set_max_queued"};
constexpr std::size_t op_count = op_names.size();

template <typename Enum>
constexpr std::size_t index_of(Enum value) {
    return static_cast<std::size_t>(value);
}

/// What the walks have come across, so that walks that miss the interesting places do not pass for a test.
struct Sightings {
    std::array<std::size_t, op_count> done{};
    std::array<std::size_t, place_count> finished_at{};
    std::array<std::size_t, place_count> withdrawn_from{};
    std::array<std::size_t, 3> outcomes{};
    std::size_t places_kept = 0;
    std::size_t accepted_from_line = 0;
    std::size_t not_admitted = 0;
    std::size_t confirmed_out_of_turn = 0;
    std::size_t sent_back = 0;
    std::size_t finished_guests = 0;
    std::size_t unbounded = 0;
};

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
                    do {
                        op = likely_op();
                    } while (!perform(op));
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
            total_weight_ += weights_.at(op);
        }
    }

    Op likely_op() {
        std::size_t rest = pick(total_weight_);
        std::size_t op = 0;
        while (rest >= weights_.at(op)) rest -= weights_.at(op++);
        return static_cast<Op>(op);
    }

    /// Null if nobody is there.
    template <typename Ids>
    Entry* anyone_of(const Ids& ids) {
        return ids.empty() ? nullptr : &pair_->entry(ids[pick(ids.size())]);
    }
    Entry* anyone_at(Place place) {
        return place == Place::outside ? anyone_of(pair_->outside()) : anyone_of(pair_->model().at(place));
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
        Entry* entry = anyone_at(place);
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
        pair_->confirm(*entry);
        return true;
    }

    bool withdraw() {
        const Place place = pick(2) == 0 ? Place::line : Place::granted;
        if (!with_anyone_at(place, &AdmissionPair::withdraw)) return false;
        ++seen_.withdrawn_from.at(index_of(place));
        return true;
    }

    bool finish() {
        constexpr std::array places = {Place::queued, Place::starting, Place::ready, Place::running};
        const Place place = places.at(pick(places.size()));
        Entry* entry = anyone_at(place);
        if (entry == nullptr) return false;
        const auto outcome = static_cast<Outcome>(pick(3));
        if (place != Place::queued && !entry->has_slot) ++seen_.finished_guests;
        ++seen_.finished_at.at(index_of(place));
        ++seen_.outcomes.at(index_of(outcome));
        pair_->finish(*entry, outcome);
        return true;
    }

    bool resize() {
        const std::size_t queued = pair_->model().queued();
        pair_->set_max_running(1 + pick(5));
        if (pair_->model().queued() > queued) ++seen_.sent_back;
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

    // Whatever the seed, the rarest of these is seen about ten times as often.
    constexpr std::size_t enough = 200;
    for (std::size_t op = 0; op < op_count; ++op) {
        const std::string name = op_names.at(op);
        CAPTURE(name);
        CHECK(seen.done.at(op) > enough);
    }
    for (const Place place : {Place::queued, Place::starting, Place::ready, Place::running}) {
        CAPTURE(index_of(place));
        CHECK(seen.finished_at.at(index_of(place)) > enough);
    }
    for (const std::size_t count : seen.outcomes) CHECK(count > enough);
    CHECK(seen.withdrawn_from.at(index_of(Place::line)) > enough);
    CHECK(seen.withdrawn_from.at(index_of(Place::granted)) > enough);
    CHECK(seen.places_kept > enough);
    CHECK(seen.accepted_from_line > enough);
    CHECK(seen.not_admitted > enough);
    CHECK(seen.confirmed_out_of_turn > enough);
    CHECK(seen.sent_back > enough);
    CHECK(seen.finished_guests > enough);
    CHECK(seen.unbounded > enough);
}

}  // namespace
}  // namespace nbaio
