// Who may come in: newcomers, the line of producers, and the places kept for them.
#include <doctest/doctest.h>

#include <limits>

#include "core/admission.hpp"
#include "tests/scene.hpp"

namespace nbaio {
namespace {

TEST_SUITE("newcomers") {
    TEST_CASE("a fresh admission is idle, counts nothing and has room for its slots and its queue") {
        const Admission fresh(2, 3);
        CHECK(fresh.max_running() == 2);
        CHECK(fresh.max_queued() == 3);
        CHECK(fresh.free_slots() == 2);
        CHECK(fresh.room() == 5);
        CHECK(fresh.welcomes());
        CHECK(fresh.can_begin());
        CHECK(fresh.idle());
        CHECK_FALSE(fresh.has_work());
        CHECK_FALSE(fresh.can_admit());
        CHECK(fresh.submitted() == 0);
        CHECK(fresh.queued() + fresh.running() + fresh.waiting() == 0);
        CHECK(fresh.ended(Outcome::succeeded) + fresh.ended(Outcome::failed) + fresh.ended(Outcome::cancelled) == 0);
    }

    TEST_CASE("an accepted entry has a slot at once while there is one, and is queued after that") {
        Scene scene(2, 2);
        scene.accept("abcd");
        CHECK(scene.in(Place::starting) == "ab");
        CHECK(scene.in(Place::queued) == "cd");
        CHECK(scene['b'].has_slot);
        CHECK_FALSE(scene['c'].has_slot);
        CHECK(scene.admission.running() == 2);
        CHECK(scene.admission.queued() == 2);
        CHECK(scene.admission.submitted() == 4);
        CHECK(scene.admission.free_slots() == 0);
    }

    TEST_CASE("room shrinks with each accepted entry, and without room nobody is welcome") {
        Scene scene(1, 2);
        for (const std::size_t left : {2U, 1U, 0U}) {
            REQUIRE(scene.admission.welcomes());
            scene.accept(std::string(1, static_cast<char>('a' + left)));
            CHECK(scene.admission.room() == left);
        }
        CHECK_FALSE(scene.admission.welcomes());
    }

    TEST_CASE("the last free slot is room even when the queue holds nobody") {
        Scene scene(2, 1);
        scene.run("a");
        CHECK(scene.admission.room() == 2);
    }

    TEST_CASE("a queue without a bound always has room") {
        Scene scene(1, Admission::unbounded);
        scene.accept("abcdefgh");
        CHECK(scene.admission.room() == std::numeric_limits<std::size_t>::max());
        CHECK(scene.admission.welcomes());
        CHECK(scene.admission.queued() == 7);
    }

    TEST_CASE("room does not overflow with the largest limits a signed size can hold") {
        constexpr auto largest = static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max());
        Scene scene(largest, largest);
        scene.accept("a");
        CHECK(scene.admission.room() == largest + largest - 1);
    }

    TEST_CASE("a newcomer is not welcome while somebody stands in line, even if there is room") {
        Scene scene(1, 1);
        scene.line_up("a");
        CHECK(scene.admission.room() == 2);
        CHECK_FALSE(scene.admission.welcomes());
        CHECK_FALSE(scene.admission.can_begin());
        scene.admission.withdraw(scene['a']);
        CHECK(scene.admission.welcomes());
        CHECK(scene.admission.can_begin());
    }

    TEST_CASE("a newcomer is not welcome while a place is kept, even if there is more room") {
        Scene scene(1, 1);
        scene.line_up("a");
        scene.admit_all();
        CHECK(scene.admission.room() == 1);
        CHECK_FALSE(scene.admission.welcomes());
        CHECK_FALSE(scene.admission.can_begin());
        scene.admission.confirm(scene['a']);
        CHECK(scene.admission.welcomes());
    }

    TEST_CASE("what room is spare, those in line and those with a kept place do not need") {
        Scene scene(1, 2);
        CHECK(scene.admission.spare_room() == 3);
        scene.line_up("a");
        CHECK(scene.admission.spare_room() == 2);
        scene.admit_all();
        CHECK(scene.admission.spare_room() == 2);
        scene.line_up("bcd");
        CHECK(scene.admission.spare_room() == 0);
        scene.admission.confirm(scene['a']);
        CHECK(scene.admission.spare_room() == 0);
        scene.admission.withdraw(scene['d']);
        scene.admission.withdraw(scene['c']);
        CHECK(scene.admission.spare_room() == 1);
    }

    TEST_CASE("a newcomer may begin at once next to entries that run or gave way") {
        Scene scene(3, 1);
        scene.run("ab");
        scene.admission.give_way(scene['a']);
        CHECK(scene.admission.can_begin());
    }

    TEST_CASE("a newcomer may not begin at once before an accepted entry that has yet to begin") {
        Scene scene(2, 1);
        scene.accept("a");
        REQUIRE(scene.admission.free_slots() == 1);
        CHECK_FALSE(scene.admission.can_begin());
        CHECK(scene.admission.welcomes());
        scene.admission.start_next();
        CHECK(scene.admission.can_begin());
    }

    TEST_CASE("a newcomer may not begin at once without a free slot") {
        Scene scene(1, 1);
        scene.run("a");
        CHECK(scene.admission.welcomes());
        CHECK_FALSE(scene.admission.can_begin());
    }

    TEST_CASE("an entry that begins at once runs, has a slot and counts as submitted") {
        Scene scene(1, 1);
        scene.admission.begin(scene['a']);
        CHECK(scene.in(Place::running) == "a");
        CHECK(scene['a'].place == Place::running);
        CHECK(scene['a'].has_slot);
        CHECK(scene.admission.free_slots() == 0);
        CHECK(scene.admission.running() == 1);
        CHECK(scene.admission.submitted() == 1);
        CHECK(scene.admission.start_next() == nullptr);
    }

    TEST_CASE("a guest runs on a full admission without a slot of its own") {
        Scene scene(1, 1);
        scene.run("a");
        scene.accept("b");
        scene.admission.begin_as_guest(scene['c']);
        CHECK(scene.in(Place::running) == "ac");
        CHECK_FALSE(scene['c'].has_slot);
        CHECK(scene.admission.running() == 2);
        CHECK(scene.admission.submitted() == 3);
        CHECK(scene.admission.room() == 0);
    }

    TEST_CASE("a guest that ends frees no slot, wherever it stands") {
        Scene scene(1, 1);
        scene.run("a");
        scene.accept("b");
        scene.admission.begin_as_guest(scene['c']);
        SUBCASE("running") {}
        SUBCASE("ready") { scene.admission.give_way(scene['c']); }
        scene.finish("c");
        CHECK(scene.admission.free_slots() == 0);
        CHECK(scene.in(Place::queued) == "b");
        CHECK(scene.in(Place::running) == "a");
        CHECK(scene.admission.ended(Outcome::succeeded) == 1);
    }

    TEST_CASE("a guest takes nothing from the free slots that appear while it runs") {
        Scene scene(1, 1);
        scene.run("a");
        scene.admission.begin_as_guest(scene['b']);
        scene.finish("a");
        CHECK(scene.admission.free_slots() == 1);
        CHECK(scene.admission.can_begin());
    }
}

TEST_SUITE("the line") {
    TEST_CASE("those in line wait outside: they are neither accepted nor counted as submitted") {
        Scene scene(1, 1);
        scene.line_up("ab");
        CHECK(scene.in(Place::line) == "ab");
        CHECK(scene['a'].place == Place::line);
        CHECK(scene.admission.waiting() == 2);
        CHECK(scene.admission.submitted() == 0);
        CHECK(scene.admission.queued() + scene.admission.running() == 0);
        CHECK(scene.admission.free_slots() == 1);
    }

    TEST_CASE("nobody is admitted from an empty line") {
        Scene scene(1, 1);
        CHECK_FALSE(scene.admission.can_admit());
        CHECK(scene.admission.admit_next() == nullptr);
    }

    TEST_CASE("nobody is admitted without room, and the line stays as it is") {
        Scene scene(1, 1);
        scene.accept("ab");
        scene.line_up("cd");
        CHECK_FALSE(scene.admission.can_admit());
        CHECK(scene.admission.admit_next() == nullptr);
        CHECK(scene.in(Place::line) == "cd");
        CHECK(scene.in(Place::granted).empty());
    }

    TEST_CASE("producers are admitted in the order in which they came") {
        Scene scene(1, 2);
        scene.line_up("cab");
        CHECK(scene.admission.admit_next() == &scene['c']);
        CHECK(scene.admission.admit_next() == &scene['a']);
        CHECK(scene.admission.admit_next() == &scene['b']);
        CHECK(scene.in(Place::granted) == "cab");
        CHECK(scene.in(Place::line).empty());
    }

    TEST_CASE("a place that is kept takes room, but counts as waiting and not as submitted") {
        Scene scene(1, 1);
        scene.line_up("a");
        scene.admit_all();
        CHECK(scene['a'].place == Place::granted);
        CHECK(scene.admission.room() == 1);
        CHECK(scene.admission.waiting() == 1);
        CHECK(scene.admission.submitted() == 0);
        CHECK(scene.admission.free_slots() == 1);
    }

    TEST_CASE("no more places are kept than there is room") {
        Scene scene(1, 2);
        scene.accept("a");
        scene.line_up("bcde");
        scene.admit_all();
        CHECK(scene.in(Place::granted) == "bc");
        CHECK(scene.in(Place::line) == "de");
        CHECK(scene.admission.waiting() == 4);
    }

    TEST_CASE("an entry that keeps no place is accepted where it stands") {
        Scene scene(1, 1);
        scene.admission.stand_in_line(scene['a'], false);
        scene.admission.stand_in_line(scene['b'], false);
        CHECK(scene.admission.admit_next() == &scene['a']);
        CHECK(scene['a'].place == Place::starting);
        CHECK(scene['a'].has_slot);
        CHECK(scene.admission.admit_next() == &scene['b']);
        CHECK(scene['b'].place == Place::queued);
        CHECK(scene.admission.submitted() == 2);
        CHECK(scene.admission.waiting() == 0);
    }

    TEST_CASE("an entry accepted where it stands does not pass a producer whose place is kept") {
        Scene scene(1, 3);
        scene.line_up("a");
        scene.admission.stand_in_line(scene['b'], false);
        scene.line_up("c");
        scene.admit_all();
        CHECK(scene.in(Place::granted) == "a");
        CHECK(scene.in(Place::line) == "bc");
        CHECK(scene.admission.room() == 3);
        CHECK_FALSE(scene.admission.can_admit());
        SUBCASE("once that producer has come back, it is admitted") {
            scene.admission.confirm(scene['a']);
            CHECK(scene.admission.can_admit());
            scene.admit_all();
            CHECK(scene.in(Place::starting) == "a");
            CHECK(scene.in(Place::queued) == "b");
            CHECK(scene.in(Place::granted) == "c");
        }
        SUBCASE("once that producer has withdrawn, it is admitted") {
            scene.admission.withdraw(scene['a']);
            CHECK(scene.admission.admit_next() == &scene['b']);
            CHECK(scene.in(Place::starting) == "b");
        }
    }

    TEST_CASE("a producer that confirms gets a free slot if there is one") {
        Scene scene(1, 1);
        scene.line_up("ab");
        scene.admit_all();
        scene.admission.confirm(scene['a']);
        scene.admission.confirm(scene['b']);
        CHECK(scene.in(Place::starting) == "a");
        CHECK(scene.in(Place::queued) == "b");
        CHECK(scene.admission.submitted() == 2);
        CHECK(scene.admission.waiting() == 0);
        CHECK(scene.admission.room() == 0);
    }

    TEST_CASE("a producer that leaves the line changes nothing for the others") {
        Scene scene(1, 1);
        scene.accept("ab");
        scene.line_up("cde");
        scene.admission.withdraw(scene['d']);
        CHECK(scene.in(Place::line) == "ce");
        CHECK(scene['d'].place == Place::outside);
        CHECK(scene.admission.waiting() == 2);
        CHECK(scene.admission.submitted() == 2);
        CHECK(scene.admission.ended(Outcome::cancelled) == 0);
    }

    TEST_CASE("a producer that gives its place back makes room for the next in line") {
        Scene scene(1, 1);
        scene.accept("a");
        scene.line_up("bc");
        scene.admit_all();
        REQUIRE(scene.in(Place::granted) == "b");
        scene.admission.withdraw(scene['b']);
        CHECK(scene['b'].place == Place::outside);
        CHECK(scene.admission.room() == 1);
        CHECK(scene.admission.admit_next() == &scene['c']);
        CHECK(scene.admission.submitted() == 1);
    }

    TEST_CASE("an entry that withdrew can come again, as either kind") {
        Scene scene(1, 1);
        scene.line_up("a");
        scene.admission.withdraw(scene['a']);
        scene.admission.stand_in_line(scene['a'], false);
        CHECK(scene.admission.admit_next() == &scene['a']);
        CHECK(scene['a'].place == Place::starting);
        scene.admission.stand_in_line(scene['b'], false);
        scene.admission.withdraw(scene['b']);
        scene.line_up("b");
        CHECK(scene.admission.admit_next() == &scene['b']);
        CHECK(scene['b'].place == Place::granted);
    }
}

}  // namespace
}  // namespace nbaio
