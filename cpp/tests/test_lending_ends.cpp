// How loans end, other than by the end of the borrower: it withdraws, the lender ends, the limits change.
#include <doctest/doctest.h>

#include "core/admission.hpp"
#include "tests/scene.hpp"

namespace nbaio {
namespace {

bool adds_up(const Admission& now) {
    return now.submitted() == now.ended(Outcome::succeeded) + now.ended(Outcome::failed) +
                                  now.ended(Outcome::cancelled) + now.queued() + now.running();
}

TEST_SUITE("borrowers that have not begun") {
    TEST_CASE("one that confirms its place with a slot on loan starts, before those who were queued earlier") {
        Scene scene(1, 2);
        scene.run("a");
        scene.accept("b");
        scene.line_up("c");
        scene.lend('a', 'c');
        scene.admission.confirm(scene['c']);
        CHECK(scene.in(Place::starting) == "c");
        CHECK(scene.in(Place::queued) == "b");
        CHECK(scene.chain('a') == "ac");
        CHECK(scene.admission.submitted() == 3);
        CHECK(scene.admission.room() == 1);
        CHECK(adds_up(scene.admission));
    }

    TEST_CASE("one that withdraws gives the slot back to its lender") {
        Scene scene(1, 2);
        scene.run("a");
        scene.accept("b");
        scene.line_up("c");
        scene.lend('a', 'c');
        scene.admission.withdraw(scene['c']);
        CHECK(scene['c'].place == Place::outside);
        CHECK_FALSE(scene['c'].has_slot);
        CHECK(scene.in(Place::repaid) == "a");
        CHECK(scene.chain('a') == "a");
        CHECK(scene.in(Place::queued) == "b");
        CHECK(scene.admission.submitted() == 2);
        CHECK(scene.admission.room() == 1);
        CHECK(scene.admission.waiting() == 0);
    }

    TEST_CASE("one that withdraws after its lender went on leaves its slot to nobody") {
        Scene scene(1, 1);
        scene.run("a");
        scene.line_up("b");
        scene.lend('a', 'b');
        scene.go_on('a');
        REQUIRE(scene.admission.slots_used() == 2);
        scene.admission.withdraw(scene['b']);
        CHECK(scene.admission.slots_used() == 1);
        CHECK(scene.in(Place::running) == "a");
    }

    TEST_CASE("one that is made never to have been accepted gives back what it has") {
        Scene scene(1, 2);
        SUBCASE("its own slot goes to the queue") {
            scene.accept("abc");
            scene.admission.unaccept(scene['a']);
            CHECK(scene.in(Place::starting) == "b");
            CHECK(scene.admission.submitted() == 2);
        }
        SUBCASE("in the queue, only its place") {
            scene.accept("abc");
            scene.admission.unaccept(scene['b']);
            CHECK(scene.in(Place::starting) == "a");
            CHECK(scene.in(Place::queued) == "c");
            CHECK(scene.admission.submitted() == 2);
        }
        SUBCASE("a slot on loan goes to its lender") {
            scene.run("a");
            scene.accept("bc");
            scene.lend('a', 'b');
            scene.admission.unaccept(scene['b']);
            CHECK(scene.in(Place::repaid) == "a");
            CHECK(scene.in(Place::queued) == "c");
            CHECK(scene.admission.submitted() == 2);
        }
        SUBCASE("so does that of a newcomer accepted on loan") {
            scene.run("a");
            scene.accept("b");
            scene.accept_on_loan('a', 'c');
            scene.admission.unaccept(scene['c']);
            CHECK(scene.in(Place::repaid) == "a");
            CHECK(scene.admission.submitted() == 2);
        }
        CHECK(scene.admission.slots_used() == 1);
        CHECK(adds_up(scene.admission));
    }
}

TEST_SUITE("lenders that end") {
    TEST_CASE("a lender that ends leaves its slot to the borrower, and after that to the queue") {
        Scene scene(1, 2);
        scene.run("a");
        scene.accept("bc");
        scene.lend('a', 'b');
        scene.finish("a");
        CHECK(scene['a'].borrower() == nullptr);
        CHECK(scene['b'].lender() == nullptr);
        CHECK(scene['b'].has_slot);
        CHECK(scene.in(Place::queued) == "c");
        CHECK(scene.admission.slots_used() == 1);
        CHECK(adds_up(scene.admission));
        scene.finish("b");
        CHECK(scene.in(Place::starting) == "c");
    }

    TEST_CASE("a lender that ends in the middle of a chain passes on its claim to its own lender") {
        Scene scene(1, 2);
        scene.run("a");
        SUBCASE("it waited") {
            scene.accept("bc");
            scene.lend('a', 'b');
            scene.run("");
            scene.lend('b', 'c');
        }
        SUBCASE("it wanted to go on") {
            scene.accept("b");
            scene.lend('a', 'b');
            scene.run("");
            scene.accept_on_loan('b', 'c');
        }
        scene.finish("b");
        CHECK(scene.chain('a') == "ac");
        CHECK(scene.in(Place::lending) == "a");
        CHECK(scene.admission.slots_used() == 1);
        scene.finish("c");
        CHECK(scene.in(Place::repaid) == "a");
    }

    TEST_CASE("one that ends when it is repaid gives its slot to the queue") {
        Scene scene(1, 2);
        scene.run("a");
        scene.accept("bc");
        scene.lend('a', 'b');
        scene.finish("ba");
        CHECK(scene.in(Place::starting) == "c");
        CHECK(scene.in(Place::repaid).empty());
        CHECK(scene.admission.ended(Outcome::succeeded) == 2);
    }

    TEST_CASE("those who have lent their slot, want one or are repaid count as running") {
        Scene scene(3, 3);
        scene.run("abc");
        scene.accept("d");
        scene.lend('a', 'd');
        scene.accept_on_loan('b', 'e');
        scene.admission.look_at(scene['c']);
        CHECK(scene.admission.running() == 5);
        CHECK(adds_up(scene.admission));
        scene.finish("de");
        CHECK(scene.in(Place::repaid) == "cab");
        CHECK(scene.admission.running() == 3);
        scene.finish("ab");
        CHECK_FALSE(scene.admission.idle());
        scene.finish("c");
        CHECK(scene.admission.idle());
        CHECK(adds_up(scene.admission));
    }
}

TEST_SUITE("limits and loans") {
    TEST_CASE("a lowered limit leaves alone what is to start on loan, and sends back the others") {
        Scene scene(3, 3);
        scene.run("a");
        scene.accept("bcd");
        scene.lend('a', 'd');
        scene.accept("e");
        REQUIRE(scene.in(Place::starting) == "bcd");
        scene.admission.set_max_running(1);
        CHECK(scene.in(Place::starting) == "d");
        CHECK(scene.in(Place::queued) == "bce");
        CHECK(scene.chain('a') == "ad");
        CHECK(scene.admission.slots_used() == 1);
    }

    TEST_CASE("a slot comes back to its lender even above a lowered limit") {
        Scene scene(2, 2);
        scene.run("ab");
        scene.accept("cd");
        scene.lend('a', 'c');
        scene.admission.set_max_running(1);
        scene.finish("c");
        CHECK(scene.in(Place::repaid) == "a");
        CHECK(scene.admission.slots_used() == 2);
        scene.finish("b");
        CHECK(scene.in(Place::queued) == "d");
        CHECK(scene.admission.slots_used() == 1);
        scene.finish("a");
        CHECK(scene.in(Place::starting) == "d");
    }

    TEST_CASE("a lowered limit sends back one whose lender has gone: its slot is nobody else's") {
        Scene scene(2, 2);
        scene.run("ab");
        scene.accept("c");
        scene.lend('a', 'c');
        scene.finish("a");
        scene.admission.set_max_running(1);
        CHECK(scene.in(Place::queued) == "c");
        CHECK(scene.admission.slots_used() == 1);
    }

    TEST_CASE("a place kept with a slot on loan outlives a lowered limit") {
        Scene scene(2, 1);
        scene.run("ab");
        scene.line_up("c");
        scene.lend('a', 'c');
        scene.admission.set_max_running(1);
        scene.admission.confirm(scene['c']);
        CHECK(scene.in(Place::starting) == "c");
    }

    TEST_CASE("a raised limit gives its new slots to the lenders that want one, and then to the queue") {
        Scene scene(1, 2);
        scene.run("a");
        scene.accept("bc");
        scene.accept_on_loan('a', 'd');
        scene.run("");
        scene.accept_on_loan('d', 'e');
        REQUIRE(scene.in(Place::returning) == "ad");
        scene.admission.set_max_running(2);
        CHECK(scene.in(Place::repaid) == "d");
        CHECK(scene.in(Place::returning) == "a");
        scene.admission.set_max_running(4);
        CHECK(scene.in(Place::repaid) == "da");
        CHECK(scene.in(Place::starting) == "eb");
        CHECK(scene.in(Place::queued) == "c");
        CHECK(scene.admission.slots_used() == 4);
    }

    TEST_CASE("a slot too many is not given to anybody until the limit is raised above it") {
        Scene scene(1, 2);
        scene.run("a");
        scene.accept("bc");
        scene.lend('a', 'b');
        scene.run("");
        scene.go_on('a');
        scene.admission.set_max_running(2);
        CHECK(scene.in(Place::queued) == "c");
        scene.admission.set_max_running(3);
        CHECK(scene.in(Place::starting) == "c");
    }
}

TEST_SUITE("guests and loans") {
    TEST_CASE("guests come and go without a part in any loan") {
        Scene scene(1, 1);
        scene.run("a");
        scene.admission.begin_as_guest(scene['g']);
        scene.accept_on_loan('a', 'b');
        scene.admission.begin_as_guest(scene['h']);
        CHECK(scene.in(Place::running) == "gh");
        CHECK(scene.admission.running() == 4);
        CHECK(scene.admission.slots_used() == 1);
        scene.finish("g");
        CHECK(scene.in(Place::returning) == "a");
        scene.finish("b");
        CHECK(scene.in(Place::repaid) == "a");
        CHECK(scene.in(Place::running) == "h");
        CHECK_FALSE(scene['h'].has_slot);
        CHECK(scene.admission.slots_used() == 1);
    }
}

}  // namespace
}  // namespace nbaio
