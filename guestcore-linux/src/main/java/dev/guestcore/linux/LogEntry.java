package dev.guestcore.linux;

/** What a reader of the kernel's log meets: a record, or a place where records are missing. */
public sealed interface LogEntry permits LogRecord, LogGap {}
