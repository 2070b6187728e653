/** What somebody may have meant who wrote a name that there is not. */
import { distance } from 'fastest-levenshtein';

/** The known name that is nearest to a text, when it is near enough to be a slip; null otherwise. */
export function nearestName(text: string, names: Iterable<string>): string | null {
  let nearest: string | null = null;
  let least = Math.max(2, Math.floor(text.length / 3)) + 1;
  for (const name of names) {
    const steps = distance(text.toLowerCase(), name.toLowerCase());
    if (steps < least && steps < name.length) {
      nearest = name;
      least = steps;
    }
  }
  return nearest;
}

/** The end of a sentence about an unknown name: `; did you mean 'port'?`, or nothing. */
export function suggestionFor(text: string, names: Iterable<string>): string {
  const name = nearestName(text, names);
  return name === null ? '' : `; did you mean '${name}'?`;
}
