// The budget: what it answers is bracketed by readings of the same clock, so no test depends on how fast anything runs.
#include <doctest/doctest.h>

#include <chrono>

#include "core/budget.hpp"

namespace nbaio {
namespace {

using Clock = std::chrono::steady_clock;

/// Returns when at least a whole share has passed since the call.
void let_share_pass() {
    const Clock::time_point begun = Clock::now();
    while (Clock::now() - begun < Budget::share) {
    }
}

/// Makes calls, each of which must answer false.
void call(Budget& budget, int times) {
    for (int i = 0; i < times; ++i) REQUIRE_FALSE(budget.spent());
}

TEST_CASE("a share is half a millisecond") { CHECK(Budget::share == std::chrono::microseconds(500)); }

TEST_CASE("the first call is free, however long it takes") {
    Budget budget;
    let_share_pass();
    CHECK_FALSE(budget.spent());
}

TEST_CASE("the clock starts at the second call, which spends nothing yet") {
    Budget budget;
    let_share_pass();
    call(budget, 1);
    let_share_pass();
    CHECK_FALSE(budget.spent());
}

TEST_CASE("so many calls spend the share, however fast they are") {
    Budget budget(16);
    for (int round = 0; round < 3; ++round) {
        int calls = 0;
        while (!budget.spent()) ++calls;
        CHECK(calls <= 15);  // fewer on a machine that stood still for half a millisecond
        CHECK(budget.spent());
        budget.renew();
    }
}

TEST_CASE("the third call looks at the clock, so that slow steps are few") {
    Budget budget;
    call(budget, 2);
    let_share_pass();
    CHECK(budget.spent());
}

TEST_CASE("after the fourth call the clock is read at every eighth only") {
    Budget budget;
    call(budget, 4);
    let_share_pass();
    call(budget, 3);
    CHECK(budget.spent());

    budget.renew();
    call(budget, 8);
    let_share_pass();
    call(budget, 7);
    CHECK(budget.spent());
}

TEST_CASE("something that takes long is measured wherever it comes, from a start before it") {
    Budget budget;
    budget.start();
    let_share_pass();
    budget.look();
    CHECK(budget.spent());

    budget.renew();
    call(budget, 4);
    let_share_pass();
    budget.start();  // it runs already
    budget.look();
    CHECK(budget.spent());
}

TEST_CASE("begun tells of the second call alone") {
    Budget budget;
    CHECK_FALSE(budget.begun());
    for (int i = 1; i <= 12; ++i) {
        CAPTURE(i);
        budget.spent();
        CHECK(budget.begun() == (i == 2));
    }
}

TEST_CASE("the budget is spent when the share has passed, and not before") {
    // Each answer is checked against what the clock said right before and right after.
    Budget budget;
    call(budget, 1);
    const Clock::time_point before_start = Clock::now();
    call(budget, 1);
    const Clock::time_point after_start = Clock::now();
    call(budget, 6);
    bool spent = false;
    while (!spent) {
        call(budget, 7);
        const Clock::time_point before = Clock::now();
        spent = budget.spent();
        const Clock::time_point after = Clock::now();
        if (spent) {
            CHECK(after - before_start >= Budget::share);
        } else {
            REQUIRE(before - after_start < Budget::share);
        }
    }
}

TEST_CASE("once spent, a budget stays spent until it is renewed") {
    Budget budget;
    call(budget, 4);
    let_share_pass();
    call(budget, 3);
    for (int i = 0; i < 20; ++i) REQUIRE(budget.spent());
    budget.renew();
    CHECK_FALSE(budget.spent());
}

TEST_CASE("a renewed budget is like a new one") {
    Budget budget;
    SUBCASE("after the share was spent") {
        call(budget, 4);
        let_share_pass();
        call(budget, 3);
        REQUIRE(budget.spent());
    }
    SUBCASE("after the free call") { call(budget, 1); }
    SUBCASE("right after the clock was started") { call(budget, 2); }

    budget.renew();
    CHECK_FALSE(budget.begun());
    let_share_pass();
    call(budget, 1);
    CHECK_FALSE(budget.begun());
    call(budget, 1);
    CHECK(budget.begun());
    let_share_pass();
    CHECK(budget.spent());
}

TEST_CASE("a renewed budget has a whole share again") {
    // The old share has passed; four quick calls after the new start must not see it. An interruption of half a
    // millisecond right there proves nothing, so that attempt is made again.
    for (int attempt = 0; attempt < 1000; ++attempt) {
        Budget budget;
        call(budget, 4);
        let_share_pass();
        budget.renew();
        call(budget, 3);
        const Clock::time_point start = Clock::now();
        call(budget, 4);
        const bool spent = budget.spent();
        if (Clock::now() - start >= Budget::share) continue;
        CHECK_FALSE(spent);
        return;
    }
    FAIL("never undisturbed for half a millisecond");
}

}  // namespace
}  // namespace nbaio
