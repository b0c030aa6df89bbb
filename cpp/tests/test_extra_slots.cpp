// Lenders that cannot wait for their slot: they make one more, which is gone when theirs comes back; or they leave theirs
// to the borrower, or wait for any slot that becomes free.
#include <doctest/doctest.h>

#include "core/admission.hpp"
#include "tests/scene.hpp"

namespace nbaio {
namespace {

/// One slot, which a has lent to b, which runs; c is queued.
struct Loan : Scene {
    Loan() noexcept : Scene(1, 2) {
        run("a");
        accept("bc");
        lend('a', 'b');
        run("");
    }
};

/// One slot; a has lent it to b, which has lent it to c and goes on; d is queued.
struct Chain : Scene {
    Chain() noexcept : Scene(1, 3) {
        run("a");
        accept("bcd");
        lend('a', 'b');
        run("");
        lend('b', 'c');
        go_on('b');
    }
};

/// Two slots: c has that of a, and the other is free.
struct FreeSlot : Scene {
    FreeSlot() noexcept : Scene(2, 1) {
        run("ab");
        accept("c");
        lend('a', 'c');
        finish("b");
    }
};

TEST_SUITE("extra slots") {
    TEST_CASE("a lender that goes on without its slot has an extra one, and its borrower still owes it the other") {
        Scene scene(1, 2);
        scene.run("a");
        SUBCASE("it had lent it") {
            scene.accept("b");
            scene.lend('a', 'b');
        }
        SUBCASE("it wanted it back") { scene.accept_on_loan('a', 'b'); }
        scene.accept("c");
        CHECK_FALSE(Admission::has_extra_slot(scene['a']));
        scene.go_on('a');
        CHECK(scene.in(Place::running) == "a");
        CHECK(Admission::has_extra_slot(scene['a']));
        CHECK_FALSE(Admission::has_extra_slot(scene['b']));
        CHECK(scene['b'].has_slot);
        CHECK(scene.chain('a') == "ab");
        CHECK(scene.admission.slots_used() == 2);
        CHECK(scene.admission.free_slots() == 0);
    }

    TEST_CASE("an extra slot is gone when the borrower's comes back, and nobody in the queue gets it") {
        Scene scene(1, 2);
        scene.run("a");
        scene.accept("bc");
        scene.lend('a', 'b');
        scene.go_on('a');
        SUBCASE("ended") { scene.finish("b"); }
        SUBCASE("never accepted") { scene.admission.unaccept(scene['b']); }
        CHECK(scene.in(Place::running) == "a");
        CHECK(scene['a'].has_slot);
        CHECK_FALSE(Admission::has_extra_slot(scene['a']));
        CHECK(scene.chain('a') == "a");
        CHECK(scene.admission.slots_used() == 1);
        CHECK(scene.in(Place::queued) == "c");
        scene.finish("a");
        CHECK(scene.in(Place::starting) == "c");
    }

    TEST_CASE("an extra slot is also gone when the lender ends first") {
        Loan scene;
        scene.go_on('a');
        scene.finish("a");
        CHECK(scene['b'].lender() == nullptr);
        CHECK(scene.admission.slots_used() == 1);
        CHECK(scene.in(Place::queued) == "c");
        scene.finish("b");
        CHECK(scene.in(Place::starting) == "c");
    }

    TEST_CASE("a lender that goes on without its slot takes a free one if there is one, until its own comes back") {
        FreeSlot scene;
        REQUIRE(scene.admission.free_slots() == 1);
        scene.go_on('a');
        CHECK(Admission::has_extra_slot(scene['a']));
        CHECK(scene.admission.slots_used() == 2);
        CHECK(scene.admission.free_slots() == 0);
        scene.accept("d");
        REQUIRE(scene.in(Place::queued) == "d");
        scene.finish("c");
        CHECK(scene.in(Place::starting) == "d");
        CHECK(scene.admission.slots_used() == 2);
    }

    TEST_CASE("one that goes on again has no more than one extra slot") {
        Loan scene;
        scene.go_on('a');
        scene.go_on('a');
        CHECK(scene.admission.slots_used() == 2);
    }

    TEST_CASE("an extra slot cannot be lent, and its entry wants none; the one it has again can") {
        Loan scene;
        scene.go_on('a');
        CHECK_FALSE(Admission::can_lend(scene['a']));
        CHECK_FALSE(Admission::wants_slot(scene['a']));
        scene.finish("b");
        CHECK(Admission::can_lend(scene['a']));
        scene.lend('a', 'c');
        CHECK(scene.chain('a') == "ac");
    }

    TEST_CASE("an entry keeps its extra slot when it gives way") {
        Loan scene;
        scene.go_on('a');
        scene.admission.give_way(scene['a']);
        CHECK(Admission::has_extra_slot(scene['a']));
        CHECK(scene.admission.resume_next() == &scene['a']);
        CHECK(scene.admission.slots_used() == 2);
        scene.admission.give_way(scene['a']);
        scene.finish("b");
        CHECK(scene.in(Place::ready) == "a");
        CHECK(scene.admission.slots_used() == 1);
    }

    TEST_CASE("those above the limit are at most as many as go on without their slot") {
        Scene scene(1, 3);
        scene.run("a");
        scene.accept("bcd");
        scene.lend('a', 'b');
        scene.run("");
        scene.lend('b', 'c');
        scene.run("");
        scene.go_on('a');
        scene.go_on('b');
        CHECK(scene.chain('a') == "abc");
        CHECK(scene.admission.slots_used() == 3);
        scene.finish("c");
        CHECK(scene.admission.slots_used() == 2);
        CHECK(Admission::has_extra_slot(scene['a']));
        scene.finish("b");
        CHECK(scene.admission.slots_used() == 1);
        CHECK(scene.in(Place::queued) == "d");
    }
}

TEST_SUITE("extra slots in a chain") {
    TEST_CASE("when the last one ends, the one in the middle has its own slot and still owes it to the first") {
        Chain scene;
        CHECK(scene.chain('a') == "abc");
        CHECK(scene.admission.slots_used() == 2);
        scene.finish("c");
        CHECK(scene.chain('a') == "ab");
        CHECK(scene.admission.slots_used() == 1);
        scene.finish("b");
        CHECK(scene.in(Place::repaid) == "a");
        CHECK(scene.in(Place::queued) == "d");
    }

    TEST_CASE("when the one in the middle ends, the first has its extra slot until the last one ends") {
        Chain scene;
        scene.finish("b");
        CHECK(scene.in(Place::repaid) == "a");
        CHECK(scene.chain('a') == "ac");
        CHECK(Admission::has_extra_slot(scene['a']));
        CHECK(scene.admission.slots_used() == 2);
        scene.finish("c");
        CHECK(scene.in(Place::repaid) == "a");
        CHECK_FALSE(Admission::has_extra_slot(scene['a']));
        CHECK(scene.admission.slots_used() == 1);
        CHECK(scene.in(Place::queued) == "d");
    }

    TEST_CASE("when the one in the middle ends and the first goes on too, one extra slot is left") {
        Chain scene;
        scene.go_on('a');
        REQUIRE(scene.admission.slots_used() == 3);
        scene.finish("b");
        CHECK(scene.in(Place::running) == "a");
        CHECK(scene.chain('a') == "ac");
        CHECK(scene.admission.slots_used() == 2);
        scene.finish("c");
        CHECK(scene.admission.slots_used() == 1);
    }
}

TEST_SUITE("return an extra slot") {
    TEST_CASE("one that waits again lends as before, and the slot too many is gone") {
        Loan scene;
        scene.go_on('a');
        SUBCASE("running") {}
        SUBCASE("when it has given way") { scene.admission.give_way(scene['a']); }
        scene.admission.return_extra_slot(scene['a']);
        CHECK(scene.in(Place::lending) == "a");
        CHECK_FALSE(scene['a'].has_slot);
        CHECK(scene.chain('a') == "ab");
        CHECK(scene.admission.slots_used() == 1);
        CHECK(scene.in(Place::queued) == "c");
        scene.finish("b");
        CHECK(scene.in(Place::repaid) == "a");
        CHECK(scene['a'].has_slot);
        CHECK(scene.admission.slots_used() == 1);
    }

    TEST_CASE("an extra slot within the limit goes to the next that needs one") {
        FreeSlot scene;
        scene.go_on('a');
        scene.accept("d");
        REQUIRE(scene.in(Place::queued) == "d");
        scene.admission.return_extra_slot(scene['a']);
        CHECK(scene.in(Place::starting) == "cd");
        CHECK(scene.admission.slots_used() == 2);
    }
}

TEST_SUITE("write a loan off") {
    TEST_CASE("a lender has one slot more if need be, and its borrower keeps the other for good") {
        Loan scene;
        scene.admission.write_off_loan(scene['a']);
        CHECK(scene.in(Place::running) == "ba");
        CHECK(Admission::can_lend(scene['a']));
        CHECK_FALSE(Admission::has_extra_slot(scene['a']));
        CHECK(scene.chain('a') == "a");
        CHECK(scene['b'].lender() == nullptr);
        CHECK(scene['b'].has_slot);
        CHECK(scene.admission.slots_used() == 2);
        scene.finish("b");
        CHECK(scene.in(Place::running) == "a");
        CHECK(scene.admission.slots_used() == 1);
        CHECK(scene.in(Place::queued) == "c");
    }

    TEST_CASE("the slot it has then can be lent, and comes back") {
        Loan scene;
        scene.admission.write_off_loan(scene['a']);
        scene.lend('a', 'c');
        CHECK(scene.in(Place::starting) == "c");
        scene.finish("c");
        CHECK(scene.in(Place::repaid) == "a");
        CHECK(scene.admission.slots_used() == 2);
    }

    TEST_CASE("a lender takes a free slot if there is one, and then no slot is too many") {
        FreeSlot scene;
        scene.admission.write_off_loan(scene['a']);
        CHECK(scene.admission.slots_used() == 2);
        scene.accept("d");
        REQUIRE(scene.in(Place::queued) == "d");
        scene.finish("c");
        CHECK(scene.in(Place::starting) == "d");
    }

    TEST_CASE("in the middle of a chain, one that writes its loan off still owes a slot to its own lender") {
        Loan scene;
        scene.lend('b', 'c');
        scene.admission.write_off_loan(scene['b']);
        CHECK(scene.chain('a') == "ab");
        CHECK(scene.chain('c') == "c");
        CHECK(scene['c'].lender() == nullptr);
        scene.finish("b");
        CHECK(scene.in(Place::repaid) == "a");
        CHECK(scene.admission.slots_used() == 2);
        scene.finish("c");
        CHECK(scene.admission.slots_used() == 1);
    }
}

TEST_SUITE("want a slot back") {
    TEST_CASE("a lender waits for a slot, and gets its own when the borrower ends") {
        Loan scene;
        scene.admission.want_back(scene['a']);
        CHECK(scene.in(Place::returning) == "a");
        CHECK(Admission::wants_slot(scene['a']));
        CHECK(scene.chain('a') == "ab");
        CHECK(scene.admission.slots_used() == 1);
        scene.finish("b");
        CHECK(scene.in(Place::repaid) == "a");
        CHECK(scene.in(Place::queued) == "c");
        CHECK(scene.admission.slots_used() == 1);
    }

    TEST_CASE("a free slot is given to it at once, and the other is left to the borrower") {
        FreeSlot scene;
        REQUIRE(scene.admission.free_slots() == 1);
        scene.admission.want_back(scene['a']);
        CHECK(scene.in(Place::repaid) == "a");
        CHECK(scene.chain('a') == "a");
        CHECK(scene['c'].lender() == nullptr);
        CHECK(scene.admission.slots_used() == 2);
        scene.finish("c");
        CHECK(scene.admission.slots_used() == 1);
    }

    TEST_CASE("a slot kept for a producer is not given to it, one beyond those is") {
        Scene scene(3, 1);
        scene.run("abc");
        scene.accept("d");
        scene.lend('a', 'd');
        scene.line_up("ef");
        scene.admit_all();
        scene.finish("b");
        scene.admit_all();
        REQUIRE(scene.in(Place::granted) == "ef");  // one more than can be queued
        scene.admission.want_back(scene['a']);
        CHECK(scene.in(Place::returning) == "a");
        CHECK(scene.admission.free_slots() == 1);
        SUBCASE("another slot becomes free") { scene.finish("c"); }
        SUBCASE("a producer withdraws") { scene.admission.withdraw(scene['f']); }
        SUBCASE("it fits into the queue") { scene.admission.set_max_queued(2); }
        CHECK(scene.in(Place::repaid) == "a");
        CHECK(scene['d'].lender() == nullptr);
    }

    TEST_CASE("the producer comes into the slot kept for it while a lender wants one") {
        Scene scene(2, 1);
        scene.run("ab");
        scene.accept("c");
        scene.lend('a', 'c');
        scene.line_up("ef");
        scene.admit_all();
        scene.finish("b");
        scene.admit_all();
        scene.admission.want_back(scene['a']);
        scene.admission.confirm(scene['e']);
        scene.admission.confirm(scene['f']);
        CHECK(scene.in(Place::starting) == "ce");
        CHECK(scene.in(Place::queued) == "f");
        CHECK(scene.in(Place::returning) == "a");
    }
}

TEST_CASE("those who have ended are counted, however they ended") {
    Scene scene(3, 1);
    scene.run("abc");
    CHECK(scene.admission.ended() == 0);
    scene.finish("a");
    CHECK(scene.admission.ended() == 1);
    scene.admission.finish(scene['b'], Outcome::failed);
    CHECK(scene.admission.ended() == 2);
    scene.admission.finish(scene['c'], Outcome::cancelled);
    CHECK(scene.admission.ended() == 3);
}

}  // namespace
}  // namespace nbaio
