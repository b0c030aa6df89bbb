// Lending: an entry that waits for other entries gives them its slot, and gets it back.
#include <doctest/doctest.h>

#include <array>
#include <string>

#include "core/admission.hpp"
#include "tests/scene.hpp"

namespace nbaio {
namespace {

TEST_SUITE("who lends and who borrows") {
    TEST_CASE("an entry that neither lends nor borrows needs no place for its loans") {
        Admission admission(1, 2);
        std::array<Entry, 3> entries;
        for (Entry& entry : entries) admission.accept(entry);
        CHECK(admission.start_next() == entries.data());
        admission.give_way(entries[0]);
        admission.set_max_running(2);
        admission.set_max_running(1);
        admission.unaccept(entries[2]);
        CHECK(admission.resume_next() == entries.data());
        CHECK_FALSE(Admission::has_extra_slot(entries[0]));
        admission.finish(entries[0], Outcome::succeeded);
        CHECK(admission.start_next() == &entries[1]);
        admission.finish(entries[1], Outcome::failed);
        CHECK(admission.idle());
        CHECK(entries[1].lender() == nullptr);
        CHECK(entries[1].borrower() == nullptr);
    }

    TEST_CASE("an entry can lend while it has begun, has a slot and has not given way") {
        Scene scene(4, 1);
        scene.run("abcd");
        scene.accept("e");
        CHECK(Admission::can_lend(scene['a']));
        scene.admission.look_at(scene['a']);
        CHECK(Admission::can_lend(scene['a']));

        scene.lend('b', 'e');
        scene.accept_on_loan('c', 'f');
        scene.admission.give_way(scene['d']);
        scene.accept("g");
        scene.admission.begin_as_guest(scene['h']);
        // Has lent it; wants it back; gave way; has not begun; has not begun; is queued; has none; is outside.
        for (const char name : std::string("bcdefghi")) {
            CAPTURE(name);
            CHECK_FALSE(Admission::can_lend(scene[name]));
        }
    }

    TEST_CASE("an entry wants a slot while it has none and needs one to begin or to go on") {
        Scene scene(2, 1);
        scene.run("ab");
        scene.line_up("cd");
        scene.admit_all();
        scene.accept_on_loan('a', 'e');
        scene.admission.unaccept(scene['e']);  // its slot is back with a
        scene.accept("e");
        scene.accept_on_loan('a', 'f');
        REQUIRE(scene.in(Place::granted) == "c");
        for (const char name : std::string("acde")) {
            CAPTURE(name);
            CHECK(Admission::wants_slot(scene[name]));
        }
        scene.lend('b', 'c');
        scene.admission.begin_as_guest(scene['g']);
        // Waits for its borrower; has a slot with its place; has one; runs without; is outside.
        for (const char name : std::string("bcfgh")) {
            CAPTURE(name);
            CHECK_FALSE(Admission::wants_slot(scene[name]));
        }
    }
}

TEST_SUITE("lend") {
    TEST_CASE("a slot is handed to another entry, and their number stays what it is") {
        Scene scene(1, 1);
        scene.run("a");
        scene.accept("b");
        scene.lend('a', 'b');
        CHECK(scene.in(Place::lending) == "a");
        CHECK(scene.in(Place::starting) == "b");
        CHECK_FALSE(scene['a'].has_slot);
        CHECK(scene['b'].has_slot);
        CHECK(scene.chain('a') == "ab");
        CHECK(scene.admission.slots_used() == 1);
        CHECK(scene.admission.free_slots() == 0);
        CHECK(scene.admission.running() == 2);
        CHECK(scene.admission.queued() == 0);
        CHECK(scene.admission.submitted() == 2);
    }

    TEST_CASE("a slot comes back to its lender when the borrower ends, and nobody in the queue gets it") {
        Scene scene(1, 2);
        scene.run("a");
        scene.accept("bc");
        scene.lend('a', 'b');
        SUBCASE("before it has begun") {}
        SUBCASE("running") { scene.run(""); }
        SUBCASE("when it has given way") {
            scene.run("");
            scene.admission.give_way(scene['b']);
        }
        scene.finish("b");
        CHECK(scene.in(Place::repaid) == "a");
        CHECK(scene['a'].has_slot);
        CHECK(scene.chain('a') == "a");
        CHECK(scene.in(Place::queued) == "c");
        CHECK(scene.admission.slots_used() == 1);
    }

    TEST_CASE("the slot passes by whatever stands before the borrower") {
        Scene scene(1, 3);
        scene.run("a");
        scene.accept("bcd");
        scene.lend('a', 'd');
        CHECK(scene.in(Place::starting) == "d");
        CHECK(scene.in(Place::queued) == "bc");
    }

    TEST_CASE("in a chain of three each gets its slot back from the next") {
        Scene scene(1, 2);
        scene.run("a");
        scene.accept("bc");
        scene.lend('a', 'b');
        scene.run("");
        scene.lend('b', 'c');
        CHECK(scene.chain('a') == "abc");
        CHECK(scene.admission.slots_used() == 1);
        scene.finish("c");
        CHECK(scene.in(Place::repaid) == "b");
        CHECK(scene.in(Place::lending) == "a");
        scene.finish("b");
        CHECK(scene.in(Place::repaid) == "a");
        scene.finish("a");
        CHECK(scene.admission.idle());
        CHECK(scene.admission.slots_used() == 0);
    }

    TEST_CASE("one that is repaid can lend on without going on first") {
        Scene scene(1, 2);
        scene.run("a");
        scene.accept("bc");
        scene.lend('a', 'b');
        scene.finish("b");
        scene.lend('a', 'c');
        CHECK(scene.in(Place::repaid).empty());
        CHECK(scene.chain('a') == "ac");
    }

    TEST_CASE("one in line that is accepted where it stands is accepted, before those who came earlier") {
        Scene scene(1, 1);
        scene.run("a");
        scene.accept("b");
        scene.line_up("c");
        scene.admission.stand_in_line(scene['d'], false);
        scene.lend('a', 'd');
        CHECK(scene.in(Place::starting) == "d");
        CHECK(scene.in(Place::line) == "c");
        CHECK(scene.admission.submitted() == 3);
    }

    TEST_CASE("one in line that confirms has its place kept, with the slot, and takes nobody's place") {
        Scene scene(1, 1);
        scene.run("a");
        scene.line_up("bc");
        scene.lend('a', 'c');
        CHECK(scene.in(Place::granted) == "c");
        CHECK(scene['c'].has_slot);
        CHECK(scene.chain('a') == "ac");
        CHECK(scene.admission.submitted() == 1);
        CHECK(scene.admission.room() == 1);
        scene.admit_all();
        CHECK(scene.in(Place::granted) == "cb");
        CHECK(scene.admission.room() == 0);
    }

    TEST_CASE("one whose place is kept gives it to the next and has the slot instead") {
        Scene scene(1, 1);
        scene.run("a");
        scene.line_up("b");
        scene.admit_all();
        REQUIRE(scene.admission.room() == 0);
        scene.lend('a', 'b');
        CHECK(scene.in(Place::granted) == "b");
        CHECK(scene['b'].has_slot);
        CHECK(scene.admission.room() == 1);
    }

    TEST_CASE("one that wants its own slot back gets this one, and leaves its own to the one that has it") {
        Scene scene(2, 1);
        scene.run("ab");
        scene.accept_on_loan('a', 'c');
        scene.lend('b', 'a');
        CHECK(scene.in(Place::repaid) == "a");
        CHECK(scene.chain('b') == "ba");
        CHECK(scene.chain('c') == "c");
        CHECK(scene.admission.slots_used() == 2);
        scene.finish("c");  // owes its slot to nobody
        CHECK(scene.admission.free_slots() == 1);
        scene.finish("a");
        CHECK(scene.in(Place::repaid) == "b");
    }

    TEST_CASE("a borrower can lend to the very entry that lent to it: then it is owed the slot") {
        Scene scene(1, 1);
        scene.run("a");
        scene.accept_on_loan('a', 'b');
        scene.run("");
        scene.lend('b', 'a');
        CHECK(scene.chain('b') == "ba");
        CHECK(scene['b'].lender() == nullptr);
        CHECK(scene.in(Place::repaid) == "a");
        scene.finish("a");
        CHECK(scene.in(Place::repaid) == "b");
    }
}

TEST_SUITE("accept on loan") {
    TEST_CASE("an entry is accepted into the slot of the one that submits it, though there is no room") {
        Scene scene(1, 1);
        scene.run("a");
        scene.accept("b");
        scene.line_up("c");
        scene.accept_on_loan('a', 'd');
        CHECK(scene.in(Place::starting) == "d");
        CHECK(scene.in(Place::returning) == "a");
        CHECK(scene.chain('a') == "ad");
        CHECK(scene.in(Place::queued) == "b");
        CHECK(scene.admission.slots_used() == 1);
        CHECK(scene.admission.submitted() == 3);
        scene.finish("d");
        CHECK(scene.in(Place::repaid) == "a");
        CHECK(scene.in(Place::queued) == "b");
    }

    TEST_CASE("a free slot goes to the last that wants one, and to the queue after all of them") {
        Scene scene(3, 1);
        scene.run("abc");
        scene.accept("d");
        scene.accept_on_loan('a', 'e');
        scene.accept_on_loan('b', 'f');
        scene.finish("c");
        CHECK(scene.in(Place::repaid) == "b");
        CHECK(scene.in(Place::returning) == "a");
        CHECK(scene.chain('f') == "f");
        scene.finish("f");  // owes its slot to nobody now
        CHECK(scene.in(Place::repaid) == "ba");
        CHECK(scene.in(Place::queued) == "d");
        scene.finish("e");
        CHECK(scene.in(Place::starting) == "d");
    }

    TEST_CASE("one that waits for its borrower gets no free slot") {
        Scene scene(2, 2);
        scene.run("ab");
        scene.accept("cd");
        scene.lend('a', 'c');
        scene.finish("b");
        CHECK(scene.in(Place::lending) == "a");
        CHECK(scene.in(Place::starting) == "cd");
    }

    TEST_CASE("one that gets a free slot still owes it to its own lender") {
        Scene scene(2, 1);
        scene.run("ab");
        scene.accept("c");
        scene.lend('a', 'c');
        scene.run("");
        scene.accept_on_loan('c', 'd');
        scene.finish("b");
        CHECK(scene.in(Place::repaid) == "c");
        CHECK(scene.chain('a') == "ac");
        CHECK(scene.chain('d') == "d");
        scene.finish("c");
        CHECK(scene.in(Place::repaid) == "a");
    }
}

TEST_SUITE("look at, repaid, go on") {
    TEST_CASE("whoever is to be looked at keeps its slot, and that is work") {
        Scene scene(2, 1);
        scene.run("ab");
        CHECK_FALSE(scene.admission.has_work());
        scene.admission.look_at(scene['b']);
        CHECK(scene.admission.has_work());
        CHECK(scene.in(Place::repaid) == "b");
        CHECK(scene['b'].has_slot);
        CHECK(scene.admission.running() == 2);
        CHECK(scene.admission.slots_used() == 2);
    }

    TEST_CASE("those who have a slot again are found in the order in which they got it") {
        Scene scene(2, 2);
        scene.run("ab");
        scene.accept("cd");
        scene.lend('a', 'c');
        scene.lend('b', 'd');
        CHECK(scene.admission.next_repaid() == nullptr);
        scene.finish("dc");
        CHECK(scene.admission.next_repaid() == &scene['b']);
        CHECK(scene.admission.next_repaid() == &scene['a']);
        CHECK(scene.admission.next_repaid() == nullptr);
        CHECK(scene.in(Place::running) == "ba");
    }

    TEST_CASE("one that has its slot goes on with it") {
        Scene scene(1, 1);
        scene.run("a");
        SUBCASE("running") {}
        SUBCASE("repaid") { scene.admission.look_at(scene['a']); }
        scene.go_on('a');
        CHECK(scene.in(Place::running) == "a");
        CHECK(scene.admission.slots_used() == 1);
    }
}

}  // namespace
}  // namespace nbaio
