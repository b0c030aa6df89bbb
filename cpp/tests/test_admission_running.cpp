// What becomes of accepted entries: they start, give way, end, and the limits change around them.
#include <doctest/doctest.h>

#include "core/admission.hpp"
#include "tests/scene.hpp"

namespace nbaio {
namespace {

TEST_SUITE("running") {
    TEST_CASE("entries start in the order in which they were accepted") {
        Scene scene(3, 1);
        scene.accept("cab");
        CHECK(scene.admission.start_next() == &scene['c']);
        CHECK(scene.admission.start_next() == &scene['a']);
        CHECK(scene.admission.start_next() == &scene['b']);
        CHECK(scene.in(Place::running) == "cab");
        CHECK(scene['a'].place == Place::running);
        CHECK(scene.admission.running() == 3);
    }

    TEST_CASE("nothing starts while nothing has a slot it has not begun in") {
        Scene scene(1, 1);
        CHECK(scene.admission.start_next() == nullptr);
        scene.run("a");
        scene.accept("b");
        CHECK(scene.admission.start_next() == nullptr);
        CHECK(scene.in(Place::queued) == "b");
    }

    TEST_CASE("entries that gave way keep their slots and resume in order") {
        Scene scene(3, 1);
        scene.run("abc");
        scene.admission.give_way(scene['b']);
        scene.admission.give_way(scene['a']);
        CHECK(scene.in(Place::ready) == "ba");
        CHECK(scene.in(Place::running) == "c");
        CHECK(scene['a'].has_slot);
        CHECK(scene.admission.running() == 3);
        CHECK(scene.admission.free_slots() == 0);
        CHECK(scene.admission.resume_next() == &scene['b']);
        CHECK(scene.admission.resume_next() == &scene['a']);
        CHECK(scene.in(Place::running) == "cba");
        CHECK(scene.admission.resume_next() == nullptr);
    }

    TEST_CASE("starting and resuming do not touch each other's entries") {
        Scene scene(2, 1);
        scene.run("a");
        scene.admission.give_way(scene['a']);
        scene.accept("b");
        CHECK(scene.admission.start_next() == &scene['b']);
        CHECK(scene.admission.start_next() == nullptr);
        CHECK(scene.in(Place::ready) == "a");
        scene.finish("b");
        scene.accept("c");
        CHECK(scene.admission.resume_next() == &scene['a']);
        CHECK(scene.admission.resume_next() == nullptr);
        CHECK(scene.in(Place::starting) == "c");
    }

    TEST_CASE("an entry that ends gives its slot to the first in the queue, wherever it stood") {
        Scene scene(1, 2);
        SUBCASE("starting") { scene.accept("a"); }
        SUBCASE("running") { scene.run("a"); }
        SUBCASE("ready") {
            scene.run("a");
            scene.admission.give_way(scene['a']);
        }
        scene.accept("bc");
        scene.finish("a");
        CHECK(scene.in(Place::starting) == "b");
        CHECK(scene['b'].place == Place::starting);
        CHECK(scene['b'].has_slot);
        CHECK(scene.in(Place::queued) == "c");
        CHECK(scene.admission.free_slots() == 0);
        CHECK(scene.admission.room() == 1);
    }

    TEST_CASE("a queued entry that ends leaves the queue without a trace and frees no slot") {
        Scene scene(1, 3);
        scene.run("a");
        scene.accept("bcd");
        scene.finish("c");
        CHECK(scene.in(Place::queued) == "bd");
        CHECK(scene.in(Place::starting).empty());
        CHECK(scene.admission.free_slots() == 0);
        CHECK(scene.admission.room() == 1);
    }

    TEST_CASE("an ended entry is outside without slot or links, and may be accepted again") {
        Scene scene(2, 1);
        scene.run("ab");
        scene.finish("a");
        CHECK(scene['a'].place == Place::outside);
        CHECK_FALSE(scene['a'].has_slot);
        CHECK(scene['a'].prev == nullptr);
        CHECK(scene['a'].next == nullptr);
        CHECK(scene.admission.free_slots() == 1);
        scene.accept("a");
        CHECK(scene.in(Place::starting) == "a");
        CHECK(scene.admission.submitted() == 3);
    }

    TEST_CASE("each outcome is counted by itself, and the accounts always add up") {
        Scene scene(1, 4);
        Admission& admission = scene.admission;
        const auto adds_up = [&admission] {
            return admission.submitted() == admission.ended(Outcome::succeeded) + admission.ended(Outcome::failed) +
                                                admission.ended(Outcome::cancelled) + admission.queued() +
                                                admission.running();
        };
        scene.run("a");
        scene.accept("bcdef");
        CHECK(adds_up());
        for (const char name : {'a', 'b', 'c'}) admission.finish(scene[name], Outcome::succeeded);
        CHECK(adds_up());
        admission.finish(scene['f'], Outcome::cancelled);
        admission.finish(scene['d'], Outcome::cancelled);
        admission.finish(scene['e'], Outcome::failed);
        CHECK(adds_up());
        CHECK(admission.ended(Outcome::succeeded) == 3);
        CHECK(admission.ended(Outcome::failed) == 1);
        CHECK(admission.ended(Outcome::cancelled) == 2);
        CHECK(admission.submitted() == 6);
        CHECK(admission.idle());
    }
}

TEST_SUITE("limits") {
    TEST_CASE("a raised limit gives its new slots to the queue, in order") {
        Scene scene(1, 4);
        scene.run("a");
        scene.accept("bcde");
        scene.admission.set_max_running(3);
        CHECK(scene.admission.max_running() == 3);
        CHECK(scene.in(Place::starting) == "bc");
        CHECK(scene.in(Place::queued) == "de");
        CHECK(scene['c'].has_slot);
        CHECK(scene.admission.room() == 2);
        scene.admission.set_max_running(9);
        CHECK(scene.in(Place::starting) == "bcde");
        CHECK(scene.admission.free_slots() == 4);
    }

    TEST_CASE("a lowered limit sends the last that have not begun back to the front of the queue, in order") {
        Scene scene(4, 4);
        scene.accept("abcdef");
        scene.admission.set_max_running(2);
        CHECK(scene.in(Place::starting) == "ab");
        CHECK(scene.in(Place::queued) == "cdef");
        CHECK(scene['c'].place == Place::queued);
        CHECK_FALSE(scene['c'].has_slot);
        CHECK(scene.admission.free_slots() == 0);
        CHECK(scene.admission.submitted() == 6);
    }

    TEST_CASE("a limit lowered within the free slots sends nobody back") {
        Scene scene(4, 1);
        scene.accept("ab");
        scene.admission.set_max_running(2);
        CHECK(scene.in(Place::starting) == "ab");
        CHECK(scene.admission.free_slots() == 0);
    }

    TEST_CASE("a lowered limit leaves alone what has begun, and the slots shrink as entries end") {
        Scene scene(3, 2);
        scene.run("abc");
        scene.admission.give_way(scene['b']);
        scene.accept("d");
        scene.admission.set_max_running(1);
        CHECK(scene.admission.running() == 3);
        CHECK(scene.in(Place::ready) == "b");
        CHECK(scene.in(Place::running) == "ac");
        CHECK(scene.admission.free_slots() == 0);
        CHECK_FALSE(scene.admission.can_begin());
        scene.finish("ab");
        CHECK(scene.in(Place::queued) == "d");
        scene.finish("c");
        CHECK(scene.in(Place::starting) == "d");
        CHECK(scene.admission.free_slots() == 0);
    }

    TEST_CASE("entries sent back start again in the order in which they were accepted") {
        Scene scene(3, 3);
        scene.accept("abcde");
        scene.admission.set_max_running(1);
        scene.admission.set_max_running(2);
        CHECK(scene.in(Place::starting) == "ab");
        CHECK(scene.in(Place::queued) == "cde");
        scene.run("");
        scene.finish("a");
        CHECK(scene.in(Place::starting) == "c");
    }

    TEST_CASE("a queue that holds more than a lowered limit throws nobody out and has no room") {
        Scene scene(1, 3);
        scene.accept("abcd");
        scene.line_up("e");
        scene.admission.set_max_queued(2);
        CHECK(scene.admission.max_queued() == 2);
        CHECK(scene.in(Place::queued) == "bcd");
        CHECK(scene.admission.room() == 0);
        scene.finish("d");
        CHECK_FALSE(scene.admission.can_admit());
        scene.finish("c");
        CHECK(scene.admission.can_admit());
        CHECK(scene.admission.room() == 1);
    }

    TEST_CASE("a raised bound of the queue makes room for those in line") {
        Scene scene(1, 1);
        scene.accept("ab");
        scene.line_up("cd");
        scene.admission.set_max_queued(2);
        CHECK(scene.admission.can_admit());
        scene.admit_all();
        CHECK(scene.in(Place::granted) == "c");
    }

    TEST_CASE("without a bound the whole line is admitted, and a new bound counts what is there") {
        Scene scene(1, 1);
        scene.accept("ab");
        scene.line_up("cde");
        scene.admission.set_max_queued(Admission::unbounded);
        scene.admit_all();
        CHECK(scene.in(Place::granted) == "cde");
        scene.admission.set_max_queued(5);
        CHECK(scene.admission.room() == 1);
        scene.admission.set_max_queued(4);
        CHECK(scene.admission.room() == 0);
    }

    TEST_CASE("a place that was kept before a limit was lowered can still be taken") {
        Scene scene(2, 1);
        scene.run("a");
        scene.line_up("bc");
        scene.admit_all();
        scene.admission.set_max_running(1);
        CHECK(scene.admission.room() == 0);
        scene.admission.confirm(scene['b']);
        scene.admission.confirm(scene['c']);
        CHECK(scene.in(Place::queued) == "bc");
        CHECK(scene.admission.room() == 0);
    }

    TEST_CASE("a raised limit lets places be kept and newcomers begin") {
        Scene scene(1, 1);
        scene.run("a");
        scene.admission.set_max_running(2);
        CHECK(scene.admission.can_begin());
        scene.accept("bc");
        scene.line_up("d");
        CHECK_FALSE(scene.admission.can_admit());
        scene.admission.set_max_running(3);
        CHECK(scene.admission.can_admit());
    }
}

TEST_SUITE("rest and work") {
    TEST_CASE("an admission is idle only when nobody is queued, runs or waits") {
        Scene scene(1, 1);
        SUBCASE("starting") { scene.accept("a"); }
        SUBCASE("running") { scene.run("a"); }
        SUBCASE("ready") {
            scene.run("a");
            scene.admission.give_way(scene['a']);
        }
        SUBCASE("a guest runs") { scene.admission.begin_as_guest(scene['a']); }
        SUBCASE("in line") { scene.line_up("a"); }
        SUBCASE("granted") {
            scene.line_up("a");
            scene.admit_all();
        }
        CHECK_FALSE(scene.admission.idle());
        if (scene['a'].place >= Place::queued) {
            scene.finish("a");
        } else {
            scene.admission.withdraw(scene['a']);
        }
        CHECK(scene.admission.idle());
    }

    TEST_CASE("there is work while somebody can start, resume or be admitted") {
        Scene scene(1, 1);
        SUBCASE("start") { scene.accept("a"); }
        SUBCASE("resume") {
            scene.run("a");
            scene.admission.give_way(scene['a']);
        }
        SUBCASE("be admitted") { scene.line_up("a"); }
        CHECK(scene.admission.has_work());
    }

    TEST_CASE("there is no work while everybody waits for something else to happen") {
        Scene scene(1, 1);
        SUBCASE("running, queued, in line without room") {
            scene.run("a");
            scene.accept("b");
            scene.line_up("c");
        }
        SUBCASE("a place is kept") {
            scene.line_up("a");
            scene.admit_all();
        }
        SUBCASE("in line behind a kept place") {
            scene.line_up("a");
            scene.admission.stand_in_line(scene['b'], false);
            scene.admit_all();
        }
        CHECK_FALSE(scene.admission.idle());
        CHECK_FALSE(scene.admission.has_work());
    }
}

}  // namespace
}  // namespace nbaio
