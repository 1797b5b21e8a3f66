"""What outlives a process: the journal of what is held, and the status of each session.

file_lock          try_lock
journal            Journal and JournalEntry: what a session holds; text <-> value
journal_reader     read every session's journal without disturbing it (ls, doctor)
journal_store      JournalStore: this session's journal file, and taking over those of dead sessions
journal_writer     JournalWriter: keeps the journal in step with the loop
no_status_file     NoStatusFile: in place of a StatusFile where there is no state folder
open_ports         OpenPorts: what `portmap open` has left open
open_ports_reader  OpenPortsReader: the same, for a session that holds one of these ports, too
session_files      the names of the files of sessions
status             SessionStatus: what `portmap status` shows; text <-> value
status_file        StatusFile: one status file per live session, and reading them
"""
