"""The scripted agent: stands in for the Claude Code CLI where no model is to be paid, in the demo and in tests.

At its borders it behaves as the CLI was observed to: arguments, settings, hooks and their payloads, session file,
transcript, composer, exit statuses. Only its mind is a script (`work`). Run it as `python -P -m orchestrad.demo.agent`.
"""

import os
import signal
import sys
from pathlib import Path
from types import FrameType

from orchestrad.demo.conversation import VERSION, CannotBegin, Conversation, SessionFile, new_uuid
from orchestrad.demo.hooks import Hooks, read_settings
from orchestrad.demo.keys import ESCAPE_WAIT, Key, KeyReader
from orchestrad.demo.loop import Activity, Loop
from orchestrad.demo.options import Options, WrongUsage, check_home, parse
from orchestrad.demo.screen import Screen
from orchestrad.demo.turns import Turns
from orchestrad.demo.work import Mind

MODEL = "scripted"


class Agent:
    """One life of the agent, from SessionStart to SessionEnd."""

    def __init__(self, options: Options, home: Path) -> None:
        """Raises CannotBegin."""
        self._options, self._home, self._cwd = options, home, Path.cwd()
        self._loop, self._screen, self._keys = Loop(), Screen(), KeyReader()
        self._hooks = Hooks(options.settings, home=home, cwd=self._cwd)
        self._session = SessionFile(home, self._cwd)
        conversation = Conversation(
            home, self._cwd, options.resume or options.session_id or new_uuid(), resume=bool(options.resume)
        )
        mind = self._new_mind()
        mind.start_over(conversation.messages)
        self._turns = Turns(
            loop=self._loop, screen=self._screen, hooks=self._hooks, conversation=conversation, session=self._session, mind=mind
        )
        self._exit_status: int | None = None
        self._is_ending = self._has_started = False
        self._signals: list[int] = []
        self._source: int | None = sys.stdin.fileno()
        self._early: list[str] = [options.prompt] if options.prompt else []

    def run(self) -> int:
        """Lives until told to end; the result is the exit status."""
        name = os.environ.get("AGENT_NAME", "agent")
        self._screen.hint = f"⏵⏵ bypass permissions on · {name} · scripted, no model is asked"
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGWINCH, signal.SIGCONT):
            signal.signal(number, self._note_signal)
        self._screen.open(name)
        self._screen.say(f"✻ {name}, a scripted agent in {self._cwd}", "accent")
        self._loop.spawn(self._begin("resume" if self._options.resume else "startup"))
        try:
            while self._exit_status is None:
                heard = self._loop.turn(self._source, self._read, ESCAPE_WAIT if self._keys.is_waiting else None)
                if not heard:
                    self._press(self._keys.flush())
                self._heed_signals()
                self._leave_at_end_of_input()
        finally:
            self._loop.close_all()
            self._screen.close()
            self._session.remove()
        return self._exit_status

    def _begin(self, source: str) -> Activity:
        self._turns.rest()
        if source == "resume":
            more = {"seconds_since_last_response": 0, "context_tokens": 0, "prompt_cache_likely_expired": False}
            yield from self._turns.fire("SessionStart", source, source=source, **more)
        else:
            yield from self._turns.fire("SessionStart", source, source=source, model=MODEL)
        self._has_started = True
        early, self._early = self._early, []
        for text in early:
            self._submit(text)

    def _end(self, reason: str, status: int) -> Activity:
        yield from self._turns.fire("SessionEnd", reason, reason=reason)
        self._exit_status = status

    def _leave(self, reason: str, status: int) -> None:
        if self._is_ending:
            return
        self._is_ending = True
        self._loop.close_all()
        self._loop.spawn(self._end(reason, status))

    def _clear(self) -> Activity:
        yield from self._turns.fire("SessionEnd", "clear", reason="clear")
        self._turns.new_conversation(Conversation(self._home, self._cwd, new_uuid(), resume=False), self._new_mind())
        yield from self._begin("clear")

    def _submit(self, text: str) -> None:
        match text.strip():
            case "":
                return
            case "/exit" | "/quit":
                self._leave("prompt_input_exit", 0)
            case "/clear" if not self._turns.is_busy:
                self._loop.spawn(self._clear())
            case _ if self._has_started:
                self._turns.submit(text)
            case _:
                self._early.append(text)

    def _read(self) -> None:
        try:
            data = os.read(sys.stdin.fileno(), 65536)
        except OSError:  # the terminal is gone
            data = b""
        if not data:
            self._source = None
            if self._screen.is_terminal:
                self._leave("other", 129)
        elif self._screen.is_terminal:
            self._press(self._keys.feed(data))
        else:
            for line in data.decode(errors="replace").splitlines():
                self._submit(line)

    def _leave_at_end_of_input(self) -> None:
        is_quiet = self._has_started and not self._turns.is_busy and not self._turns.has_background
        if self._source is None and is_quiet and not self._is_ending:
            self._leave("prompt_input_exit", 0)

    def _press(self, keys: list[Key]) -> None:
        composer = self._screen.composer
        for key in keys:
            match key.name:
                case "text":
                    composer.text += key.text
                case "paste":
                    composer.paste(key.text)
                case "enter":
                    self._submit(composer.take())
                case "ctrl-j":
                    composer.text += "\n"
                case "backspace":
                    composer.text = composer.text[:-1]
                case "ctrl-u":
                    composer.clear_line()
                case "ctrl-s":
                    composer.stash()
                case "ctrl-l":
                    self._screen.redraw()
                case "ctrl-z":
                    os.kill(os.getpid(), signal.SIGSTOP)
                case "ctrl-c" | "escape" if self._turns.is_busy:
                    self._turns.interrupt()
                case "ctrl-c" | "escape" if composer.text:
                    composer.text = ""
                case "ctrl-c":
                    self._press_to_leave()
        if keys:
            self._screen.refresh()

    def _press_to_leave(self) -> None:
        ask = "Press Ctrl-C again to exit"
        if self._screen.hint.startswith(ask):
            self._leave("prompt_input_exit", 0)
            return
        usual, self._screen.hint = self._screen.hint, ask
        self._loop.spawn(self._forget_press(usual))

    def _forget_press(self, hint: str) -> Activity:
        yield 1.0
        self._screen.hint = hint
        self._screen.refresh()

    def _note_signal(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append(number)

    def _heed_signals(self) -> None:
        while self._signals:
            number = self._signals.pop(0)
            if number in (signal.SIGWINCH, signal.SIGCONT):
                self._screen.redraw()
            elif self._is_ending and number == signal.SIGTERM:  # told twice: at once
                self._exit_status = 128 + number
            else:  # a terminal that goes away says so twice, by HUP and by the end of input
                self._leave("other", 128 + number)

    def _new_mind(self) -> Mind:
        is_manager = os.environ.get("AGENT_NAME") == "manager"
        return Mind(is_manager=is_manager, workers=int(os.environ.get("TOTAL_WORKERS") or 100))


def main(argv: list[str]) -> int:
    """The program; the result is its exit status."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]  # a TextIOWrapper, unless replaced
    home = Path(os.environ.get("HOME") or "/")
    try:
        options = parse(argv)
        if options.version:
            sys.stdout.write(f"{VERSION} (scripted agent)\n")
            return 0
        check_home(options, home, Path.cwd(), managed=read_settings(Path("/etc/claude-code/managed-settings.json")))
        agent = Agent(options, home)
    except (WrongUsage, CannotBegin) as reason:
        sys.stderr.write(f"{reason}\n")
        return 1
    return agent.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
