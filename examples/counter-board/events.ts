/** What is counted: requests that a server could have had. */
export const PATHS = ['/', '/cart', '/login', '/search'];
export const STATUSES = ['200', '304', '404', '500'];

/** The keys to count the events of one worker under: always the same ones. */
export function* events(worker: number, count: number): Generator<string> {
  for (let i = 0; i < count; i++) {
    const scattered = Math.imul(worker * count + i, 0x9e3779b1) >>> 0;
    yield `${PATHS[(scattered >>> 16) % 4]} ${STATUSES[(scattered >>> 24) % 4]}`;
  }
}
