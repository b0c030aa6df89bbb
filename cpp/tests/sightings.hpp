// The operations of the random walks in test_admission_model.cpp, and what the walks have come across.
#pragma once

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "core/entry.hpp"

namespace nbaio {

enum class Op : std::uint8_t {
    accept,
    begin,
    begin_as_guest,
    line_up_for_a_place,
    line_up_to_be_accepted,
    admit,
    confirm,
    withdraw,
    unaccept,
    lend,
    accept_on_loan,
    look_at,
    go_on,
    return_extra_slot,
    write_off_loan,
    want_back,
    take_repaid,
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
                                 "unaccept",
                                 "lend",
                                 "accept_on_loan",
                                 "look_at",
                                 "go_on",
                                 "return_extra_slot",
                                 "write_off_loan",
                                 "want_back",
                                 "next_repaid",
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

    std::array<std::size_t, place_count> unaccepted_from{};
    std::array<std::size_t, place_count> lent_to{};
    std::array<std::size_t, place_count> lent_from{};
    std::array<std::size_t, place_count> gone_on_from{};
    std::size_t lent_to_be_accepted = 0;
    std::size_t long_chains = 0;
    std::size_t lent_to_own_lender = 0;
    std::size_t accepted_on_loan_by_borrower = 0;
    std::size_t confirmed_on_loan = 0;
    std::size_t withdrawn_on_loan = 0;
    std::size_t unaccepted_on_loan = 0;
    std::size_t claims_passed_on = 0;
    std::size_t overdrawn = 0;
    std::size_t overdrafts_released = 0;
    std::array<std::size_t, place_count> extra_returned_from{};
    std::size_t extra_vanished = 0;
    std::size_t extra_vanished_before_begin = 0;
    std::size_t extra_passed_on = 0;
    std::size_t extra_above_extra = 0;
    std::size_t extra_returned_to_queue = 0;
    std::size_t written_off_above_limit = 0;
    std::size_t wanted_back_in_vain = 0;
    std::size_t wanted_back_and_got = 0;
    std::size_t finished_below_own_slot = 0;
    std::size_t repaid_above_limit = 0;
    std::size_t none_repaid = 0;
    std::size_t returned_by_free_slot = 0;
    std::size_t returned_last_first = 0;
    std::size_t returned_before_queue = 0;
    std::size_t left_alone_on_loan = 0;
};

inline void check_enough_seen(const Sightings& seen) {
    // Whatever the seed, the rarest of these is seen about three times as often.
    static constexpr std::size_t enough = 100;
    for (std::size_t op = 0; op < op_count; ++op) {
        const std::string name = op_names.at(op);
        CAPTURE(name);
        CHECK(seen.done.at(op) > enough);
    }
    const auto all_seen = [](const std::array<std::size_t, place_count>& counts, std::initializer_list<Place> places) {
        for (const Place place : places) {
            CAPTURE(index_of(place));
            CHECK(counts.at(index_of(place)) > enough);
        }
    };
    all_seen(seen.finished_at, {Place::queued, Place::starting, Place::ready, Place::running, Place::lending,
                                Place::returning, Place::repaid});
    all_seen(seen.withdrawn_from, {Place::line, Place::granted});
    all_seen(seen.unaccepted_from, {Place::queued, Place::starting});
    all_seen(seen.lent_from, {Place::running, Place::repaid});
    all_seen(seen.lent_to, {Place::line, Place::granted, Place::queued, Place::returning});
    all_seen(seen.gone_on_from, {Place::running, Place::lending, Place::returning, Place::repaid});
    all_seen(seen.extra_returned_from, {Place::ready, Place::running, Place::repaid});
    for (const std::size_t count : seen.outcomes) CHECK(count > enough);
    CHECK(seen.places_kept > enough);
    CHECK(seen.accepted_from_line > enough);
    CHECK(seen.not_admitted > enough);
    CHECK(seen.confirmed_out_of_turn > enough);
    CHECK(seen.sent_back > enough);
    CHECK(seen.finished_guests > enough);
    CHECK(seen.unbounded > enough);
    CHECK(seen.lent_to_be_accepted > enough);
    CHECK(seen.long_chains > enough);
    CHECK(seen.lent_to_own_lender > enough);
    CHECK(seen.accepted_on_loan_by_borrower > enough);
    CHECK(seen.confirmed_on_loan > enough);
    CHECK(seen.withdrawn_on_loan > enough);
    CHECK(seen.unaccepted_on_loan > enough);
    CHECK(seen.claims_passed_on > enough);
    CHECK(seen.overdrawn > enough);
    CHECK(seen.overdrafts_released > enough);
    CHECK(seen.extra_vanished > enough);
    CHECK(seen.extra_vanished_before_begin > enough);
    CHECK(seen.extra_passed_on > enough);
    CHECK(seen.extra_above_extra > enough);
    CHECK(seen.extra_returned_to_queue > enough);
    CHECK(seen.written_off_above_limit > enough);
    CHECK(seen.wanted_back_in_vain > enough);
    CHECK(seen.wanted_back_and_got > enough);
    CHECK(seen.finished_below_own_slot > enough);
    CHECK(seen.repaid_above_limit > enough);
    CHECK(seen.none_repaid > enough);
    CHECK(seen.returned_by_free_slot > enough);
    CHECK(seen.returned_last_first > enough);
    CHECK(seen.returned_before_queue > enough);
    CHECK(seen.left_alone_on_loan > enough);
}

}  // namespace nbaio
