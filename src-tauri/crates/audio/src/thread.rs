use std::{
    sync::mpsc::{RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    thread::JoinHandle,
    time::Duration,
};

use crate::{Backend, Command, Dsp, EchoMode, Event};

/// How often the rings are looked at.
const TICK: Duration = Duration::from_millis(3);
/// Commands that may wait; the DSP thread drains them all every tick.
const COMMANDS: usize = 4096;

/// The DSP thread's handle; dropping it closes the devices.
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
        let run = move || {
            let mut dsp = Dsp::new(backend(), mode);
            loop {
                // Nothing of it costs anything while both devices are closed.
                let first = if dsp.is_idle() {
                    inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
                } else {
                    inbox.recv_timeout(TICK)
                };
                match first {
                    Ok(command) => dsp.handle(command, &mut emit),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                while let Ok(command) = inbox.try_recv() {
                    dsp.handle(command, &mut emit);
                }
                dsp.step(&mut emit);
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
