use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    thread::JoinHandle,
    time::Duration,
};

use crate::{AudioError, Backend, Command, Direction, Dsp, EchoMode, Event, dsp::STEPS_PER_SECOND};

/// How often the rings are looked at.
const TICK: Duration = Duration::from_millis(1000 / STEPS_PER_SECOND as u64);
/// Commands that may wait; the DSP thread drains them all every tick.
const COMMANDS: usize = 4096;

/// The DSP thread's handle; dropping it closes the devices. Should the thread panic, both devices are told as failed.
pub struct Audio {
    commands: Option<SyncSender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl Audio {
    /// Starts the thread. `emit` is called on it.
    pub fn start(
        backend: impl FnOnce() -> Box<dyn Backend> + Send + 'static,
        mode: EchoMode,
        mut emit: impl FnMut(Event) + Send + 'static,
    ) -> Self {
        let (commands, inbox) = sync_channel::<Command>(COMMANDS);
        let pump = move |emit: &mut dyn FnMut(Event)| {
            let mut dsp = Dsp::new(backend(), mode);
            loop {
                // Nothing of it costs anything while both devices are closed.
                let first = if dsp.is_idle() {
                    inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
                } else {
                    inbox.recv_timeout(TICK)
                };
                match first {
                    Ok(command) => dsp.handle(command, &mut *emit),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                while let Ok(command) = inbox.try_recv() {
                    dsp.handle(command, &mut *emit);
                }
                dsp.step(&mut *emit);
            }
        };
        let run = move || {
            let ended = catch_unwind(AssertUnwindSafe(|| pump(&mut emit)));
            if ended.is_err() {
                emit(Event::Recording(false));
                for direction in [Direction::Input, Direction::Output] {
                    emit(Event::DeviceFailed { direction, error: AudioError::Crashed });
                }
            }
        };
        let thread = std::thread::Builder::new().name("audio".into()).spawn(run);
        if let Err(error) = &thread {
            tracing::error!(%error, "Failed to start the audio thread");
        }
        Self { commands: Some(commands), thread: thread.ok() }
    }

    /// Hands a command to the thread; a full queue (a thread that hangs in a driver) drops it with an error in the log.
    pub fn send(&self, command: Command) {
        let Some(commands) = &self.commands else { return };
        match commands.try_send(command) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) => tracing::error!("The audio thread hangs; a command was dropped"),
        }
    }
}

impl Drop for Audio {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_thread_that_dies_says_so() {
        let (say, said) = channel();
        let _audio = Audio::start(|| panic!("as a test"), EchoMode::FullDuplex, move |event| say.send(event).unwrap());
        let failed = |direction| Event::DeviceFailed { direction, error: AudioError::Crashed };
        assert_eq!(
            said.iter().take(3).collect::<Vec<_>>(),
            [Event::Recording(false), failed(Direction::Input), failed(Direction::Output)]
        );
    }
}
