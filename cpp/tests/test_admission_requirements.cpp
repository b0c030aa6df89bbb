// What callers must not do is caught where assertions are on, before it can do harm. Each breach is committed in a
// child process, which has to end by abort().
#include <doctest/doctest.h>

#if !defined(NDEBUG) && (defined(__unix__) || defined(__APPLE__))

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "tests/scene.hpp"

namespace nbaio {
namespace {

template <typename Breach>
bool is_caught(Breach breach) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        static_cast<void>(
            std::signal(SIGABRT, SIG_DFL));  // the test runner's own handler would report the abort as a crash
        close(STDERR_FILENO);
        breach();
        _exit(0);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

TEST_CASE("a call that keeps its requirements is not caught") {
    CHECK_FALSE(is_caught([] { Scene(1, 1).accept("ab"); }));
}

TEST_CASE("only an entry that is outside may come in") {
    Scene scene(2, 1);
    scene.accept("a");
    scene.line_up("b");
    for (const char name : {'a', 'b'}) {
        INFO("entry ", std::string(1, name));
        Entry& entry = scene[name];
        CHECK(is_caught([&] { scene.admission.accept(entry); }));
        CHECK(is_caught([&] { scene.admission.begin(entry); }));
        CHECK(is_caught([&] { scene.admission.begin_as_guest(entry); }));
        CHECK(is_caught([&] { scene.admission.stand_in_line(entry, true); }));
    }
}

TEST_CASE("nobody may begin at once without a free slot") {
    Scene scene(1, 1);
    scene.accept("a");
    CHECK(is_caught([&] { scene.admission.begin(scene['b']); }));
}

TEST_CASE("only a granted entry may confirm") {
    Scene scene(1, 2);
    scene.accept("a");
    scene.line_up("b");
    for (const char name : {'a', 'b', 'c'}) {
        INFO("entry ", std::string(1, name));
        CHECK(is_caught([&] { scene.admission.confirm(scene[name]); }));
    }
}

TEST_CASE("only an entry that waits outside may withdraw") {
    Scene scene(1, 1);
    scene.run("a");
    scene.accept("b");
    for (const char name : {'a', 'b', 'c'}) {
        INFO("entry ", std::string(1, name));
        CHECK(is_caught([&] { scene.admission.withdraw(scene[name]); }));
    }
}

TEST_CASE("only a running entry may give way") {
    Scene scene(2, 1);
    scene.run("a");
    scene.admission.give_way(scene['a']);
    scene.accept("bc");
    for (const char name : {'a', 'b', 'c', 'd'}) {
        INFO("entry ", std::string(1, name));
        CHECK(is_caught([&] { scene.admission.give_way(scene[name]); }));
    }
}

TEST_CASE("only an accepted entry may finish") {
    Scene scene(1, 1);
    scene.line_up("ab");
    scene.admission.admit_next();
    for (const char name : {'a', 'b', 'c'}) {
        INFO("entry ", std::string(1, name));
        CHECK(is_caught([&] { scene.admission.finish(scene[name], Outcome::succeeded); }));
    }
}

TEST_CASE("only an accepted entry that has not begun may be made one that never was") {
    Scene scene(1, 1);
    scene.run("a");
    scene.line_up("bc");
    scene.admission.admit_next();
    for (const char name : {'a', 'b', 'c', 'd'}) {
        INFO("entry ", std::string(1, name));
        CHECK(is_caught([&] { scene.admission.unaccept(scene[name]); }));
    }
}

TEST_CASE("only an entry that has begun and has a slot may lend it or be looked at") {
    Scene scene(1, 2);
    scene.run("a");
    scene.accept("bc");
    scene.admission.begin_as_guest(scene['d']);
    scene.lend('a', 'b');
    for (const char name : {'a', 'b', 'c', 'd', 'e'}) {
        INFO("entry ", std::string(1, name));
        CHECK(is_caught([&] { scene.lend(name, name == 'c' ? 'b' : 'c'); }));
        CHECK(is_caught([&] { scene.accept_on_loan(name, 'f'); }));
        CHECK(is_caught([&] { scene.admission.look_at(scene[name]); }));
    }
}

TEST_CASE("a slot may be lent only to one that needs it, or to a newcomer") {
    Scene scene(2, 1);
    scene.run("ab");
    scene.accept("c");
    scene.lend('b', 'c');
    for (const char name : {'a', 'b', 'c', 'd'}) {
        INFO("entry ", std::string(1, name));
        CHECK(is_caught([&] { scene.lend('a', name); }));
        if (name != 'd') CHECK(is_caught([&] { scene.accept_on_loan('a', name); }));
    }
}

TEST_CASE("only an entry that has begun and has not given way may go on") {
    Scene scene(2, 1);
    scene.run("a");
    scene.admission.give_way(scene['a']);
    scene.accept("bc");
    scene.line_up("d");
    for (const char name : {'a', 'b', 'c', 'd', 'e'}) {
        INFO("entry ", std::string(1, name));
        CHECK(is_caught([&] { scene.go_on(name); }));
    }
}

TEST_CASE("only an extra slot may be returned, and it may not be lent") {
    Scene scene(2, 2);
    scene.run("ab");
    scene.accept("cde");
    scene.lend('a', 'c');
    scene.lend('b', 'd');
    scene.admission.begin_as_guest(scene['g']);
    for (const char name : {'a', 'c', 'e', 'f', 'g'}) {
        INFO("entry ", std::string(1, name));
        CHECK(is_caught([&] { scene.admission.return_extra_slot(scene[name]); }));
    }
    scene.go_on('b');
    CHECK(is_caught([&] { scene.lend('b', 'e'); }));
    CHECK(is_caught([&] { scene.accept_on_loan('b', 'f'); }));
    CHECK(is_caught([&] { scene.admission.look_at(scene['b']); }));
}

TEST_CASE("only an entry that lends may write its loan off or want its slot back") {
    Scene scene(3, 1);
    scene.run("abc");
    scene.accept("d");
    scene.lend('a', 'd');
    scene.go_on('a');
    scene.accept_on_loan('b', 'e');
    scene.accept("f");
    scene.admission.look_at(scene['c']);
    for (const char name : {'a', 'b', 'c', 'd', 'f', 'g'}) {
        INFO("entry ", std::string(1, name));
        CHECK(is_caught([&] { scene.admission.write_off_loan(scene[name]); }));
        CHECK(is_caught([&] { scene.admission.want_back(scene[name]); }));
    }
}

TEST_CASE("at least one entry must be allowed to run") {
    Scene scene(1, 1);
    CHECK(is_caught([&] { scene.admission.set_max_running(0); }));
}

}  // namespace
}  // namespace nbaio

#endif
