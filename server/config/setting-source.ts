/** What one source of settings (file, environment, command line) says, still as text. */
import type { TlsServerName } from './config.ts';
import type { SettingName } from './settings.ts';

/** One setting, as somebody gave it. */
export interface GivenSetting {
  readonly name: SettingName;
  readonly text: string;
  /** Where a message about it begins: `command line`, or file and line. */
  readonly place: string;
  /** What it is called there. */
  readonly label: string;
  /** Where it came from, in one or two words: a flag, a variable, file and line. */
  readonly origin: string;
  /** What a relative path is relative to. */
  readonly baseDirectory: string;
}

/** All that one source says. */
export interface SettingSource {
  readonly given: readonly GivenSetting[];
  readonly serverNames: readonly TlsServerName[];
  /** What cannot be used: whole lines. */
  readonly problems: readonly string[];
  /** What is not in force: whole lines. */
  readonly warnings: readonly string[];
}
