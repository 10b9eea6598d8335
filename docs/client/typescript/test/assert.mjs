// The assertions of the journey, for Node and browsers.
export function ok(value, message = `${value} is not true`) {
  if (!value) throw new Error(message);
}

export function equal(actual, expected) {
  const [left, right] = [JSON.stringify(actual), JSON.stringify(expected)];
  ok(left === right, `${left} is not ${right}`);
}

export async function rejects(promise, isExpected) {
  const error = await promise.then(() => undefined, (error) => error);
  ok(error && isExpected(error), `not rejected as expected, but with ${error}`);
  return error;
}
