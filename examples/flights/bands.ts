// Distance bands.

/** Where each band starts, in miles. It ends where the next one starts; the last one has no end. */
export const bandStarts: readonly number[] = [0, 250, 500, 750, 1000, 1500, 2000, 2500];

export function bandName(band: number): string {
  const end = bandStarts[band + 1];
  return end === undefined ? `${bandStarts[band]} and more` : `${bandStarts[band]} to ${end - 1}`;
}

/** The band of every distance that a uint16 can hold: a look-up is faster than a search. */
export function bandTable(starts: readonly number[]): Uint8Array {
  const table = new Uint8Array(2 ** 16);
  starts.forEach((start, band) => table.fill(band, start));
  return table;
}
