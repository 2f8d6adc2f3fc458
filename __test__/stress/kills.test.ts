import { shareOfStress } from './share.js';

const CLEAN = /^12 kills.*: nothing lost, nothing left$/;

shareOfStress('processes are killed at random points', 'kills', 12, CLEAN);
shareOfStress('processes and trackers are killed at random points', 'kills', 12, CLEAN, { tracker: true });
