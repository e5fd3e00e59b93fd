import { renderHook } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, it, vi } from 'vitest';
import { useShortcuts } from './use-shortcuts';

it('takes a sequence of the shell for itself, whatever the page does with its last key', async () => {
  const user = userEvent.setup();
  const [next, jobs] = [vi.fn(), vi.fn()];
  // Effects of what is inside run first, as those of a page do inside the shell.
  renderHook(() => useShortcuts({ j: next }));
  renderHook(() => useShortcuts({ 'g j': jobs }));
  await user.keyboard('gj');
  expect([next.mock.calls.length, jobs.mock.calls.length]).toEqual([0, 1]);
  await user.keyboard('j');
  expect([next.mock.calls.length, jobs.mock.calls.length]).toEqual([1, 1]);
  await user.keyboard('gxj');
  expect([next.mock.calls.length, jobs.mock.calls.length]).toEqual([2, 1]);
});

it('lets go of what is no longer there', async () => {
  const user = userEvent.setup();
  const open = vi.fn();
  const { unmount } = renderHook(() => useShortcuts({ 'mod+k': open }));
  await user.keyboard('{Control>}k{/Control}');
  unmount();
  await user.keyboard('{Control>}k{/Control}');
  expect(open).toHaveBeenCalledTimes(1);
});
