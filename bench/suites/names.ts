/** The suites, in the order in which they run. */
export const SUITE_NAMES = [
  'segment',
  'list',
  'tracker',
  'lock',
  'dict',
  'array',
  'queue',
  'pipeline',
  'manager',
] as const;

export type SuiteName = (typeof SUITE_NAMES)[number];
